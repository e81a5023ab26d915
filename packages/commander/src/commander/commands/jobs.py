"""Jobs about commands: they end what took too long, and delete what is old."""

from datetime import datetime, timedelta

from commander.commands import sentries, store
from commander.commands.actions import Notify
from commander.db import Database
from commander.jobs.loop import Job

COMMANDS_KEPT = timedelta(days=400)
RESULTS_KEPT = timedelta(days=30)


def command_jobs(database: Database, notify: Notify) -> dict[str, Job]:
    async def settle(now: datetime) -> None:
        await sentries.settle_overdue(database, notify, now)

    async def drop_old(now: datetime) -> None:
        async with database.transaction() as db:
            await store.delete_results_before(db, now - RESULTS_KEPT)
            await store.delete_commands_before(db, now - COMMANDS_KEPT)

    return {
        "settle-commands": Job(timedelta(seconds=5), settle),
        "drop-old-commands": Job(timedelta(hours=12), drop_old),
    }
