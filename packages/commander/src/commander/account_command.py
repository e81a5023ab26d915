"""Actions on passwords and keys for commands, whether a commander runs on the database or not."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from commander.accounts.actions import AccountActions
from commander.audit.actor import COMMAND_LINE, act_as
from commander.backup.before_migration import migrate_after_copy
from commander.backup.swap import check_nothing_pending
from commander.damage import check_database
from commander.db import open_database
from commander.farm_lease import DatabaseTaken, check_unused
from commander.lock import CommanderRuns, only_commander
from commander.migrations import is_at_head
from commander.problems import WrongUse
from commander.settings import Settings

Result = TypeVar("Result")


def with_account_actions(chosen: Settings, work: Callable[[AccountActions], Awaitable[Result]]) -> Result:
    """Does `work` on the database. Raises `WrongUse`, `Damage`, `BackupProblem` or `DatabaseProblem`."""

    async def run() -> Result:
        act_as(COMMAND_LINE)
        async with open_database(chosen.database_url) as database:
            return await work(AccountActions(database))

    chosen.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    check_nothing_pending(chosen)
    prepare_database(chosen)
    return asyncio.run(run())


def prepare_database(chosen: Settings) -> None:
    """Brings the database up to date for a command, as a start of the commander does.

    Raises `Damage` for a farm that is lost, or `WrongUse` if a commander of another version runs on the database.
    """
    try:
        with only_commander(chosen):
            check_database(chosen, is_new=False)
            if not is_at_head(chosen.database_url):
                asyncio.run(check_unused(chosen))
                migrate_after_copy(chosen)
    except (CommanderRuns, DatabaseTaken) as error:
        if isinstance(error, DatabaseTaken) or not is_at_head(chosen.database_url):
            raise WrongUse(
                "A commander of an older version runs on this database, and this command would change the database's "
                "tables while it runs. Restart all commanders, so that they are of this version too; then type the "
                "command again."
            ) from error
