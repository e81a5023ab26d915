"""Changes the tables of a database only after a copy of it was made. To go back to the earlier version needs it."""

import asyncio
import logging
from datetime import UTC, datetime

from protocol.reasons import reason

from commander.backup import BackupProblem
from commander.database_url import is_postgresql
from commander.migrations import migrate, revision_at
from commander.migrations.copies import NoCopy, drop_old
from commander.migrations.revisions import HEAD
from commander.problems import DatabaseProblem
from commander.settings import Settings

log = logging.getLogger(__name__)


def migrate_after_copy(settings: Settings, *, with_copy: bool = True) -> None:
    """Brings the database to `HEAD`. Raises `DatabaseProblem`; if that is because of the copy, nothing was changed.

    The copy of an SQLite database lies beside it. That of PostgreSQL is a backup in the data directory.
    """
    if with_copy and is_postgresql(settings.database_url):
        _copy_postgresql(settings)
    migrate(settings.database_url, with_copy=with_copy)


def _copy_postgresql(settings: Settings) -> None:
    from commander.backup.make import backup  # here: who stays with SQLite does not load every table

    revision = asyncio.run(revision_at(settings.database_url))
    if revision in (None, HEAD):
        return
    place = settings.data_dir / f"before-{HEAD}-{datetime.now(UTC):%Y%m%dT%H%M%S}.zip"
    try:
        backup(settings, place)
    except OSError as error:
        raise NoCopy(reason(error)) from error
    except (BackupProblem, DatabaseProblem) as error:
        raise NoCopy(str(error).rstrip(".")) from error
    drop_old(settings.data_dir, f"before-[0-9][0-9][0-9][0-9]-{'[0-9]' * 8}T{'[0-9]' * 6}.zip")  # no backup of a person
    log.info("The tables of the database change. A backup of the database as it was: %s", place)
