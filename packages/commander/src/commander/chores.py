"""The small jobs: old sessions, and the certificate's renewal."""

from collections.abc import Callable
from datetime import datetime, timedelta

from commander.accounts import store as accounts
from commander.accounts.domain import SESSION_LIFE, SESSION_LONGEST
from commander.db import Database
from commander.jobs.loop import Job
from commander.partitions import make_partitions_ahead
from commander.scaled import dead_letters


def chores(database: Database, *, renew_certificate: Callable[[datetime], None]) -> dict[str, Job]:
    async def drop_old_sessions(now: datetime) -> None:
        async with database.transaction() as db:
            await accounts.delete_old_sessions(db, seen_before=now - SESSION_LIFE, made_before=now - SESSION_LONGEST)

    async def drop_dead_letters(now: datetime) -> None:
        async with database.transaction() as db:
            await dead_letters.delete_before(db, now - dead_letters.KEPT)

    async def renew(now: datetime) -> None:
        renew_certificate(now)

    async def make_partitions(now: datetime) -> None:
        async with database.transaction() as db:
            await make_partitions_ahead(db, now=now)

    ahead = {"make-parts": Job(timedelta(hours=1), make_partitions)} if database.is_postgresql else {}
    return ahead | {
        "drop-dead-letters": Job(timedelta(hours=12), drop_dead_letters),
        "drop-old-sessions": Job(timedelta(hours=1), drop_old_sessions),
        "renew-certificate": Job(timedelta(minutes=10), renew),
    }
