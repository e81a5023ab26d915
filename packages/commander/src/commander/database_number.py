"""A number of the database that only rises, also in a file beside it: so a start notices a database that went back.

SQLite keeps the newest changes in the write-ahead log (WAL) and copies them into the database later. If the WAL is
lost, the database is a little older, and nothing in it says so. So the commander raises the number of the database
within a second after SQLite has begun a new WAL. Then it writes the number to the file:

    commander.db          PRAGMA user_version = 41   the number 42 was in the WAL, which is lost
    commander.db.number   42

The number of the database is never below that of the file otherwise: not after a kill, nor after a power cut, because
the database has it on disk first.
"""

import asyncio
import logging
from contextlib import suppress
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from commander.db import Database, wal_of
from commander.private_files import write_private
from commander.problems import DatabaseProblem
from commander.sqlite_wal import read_wal_salts

LOOK_EVERY_S = 1.0
log = logging.getLogger(__name__)


def number_file(database: Path) -> Path:
    path = database.resolve()
    return path.with_name(f"{path.name}.number")


def read_number(database: Path) -> int | None:
    """Returns the number in the file; None if there is none, or it can't be read."""
    try:
        return int(number_file(database).read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def forget_number(database: Path) -> None:
    """Removes the file with the number: a new database begins."""
    number_file(database).unlink(missing_ok=True)


async def keep_number(database: Database, stop: asyncio.Event) -> None:
    """Gives each WAL of an SQLite database a number, until `stop`."""
    wal = wal_of(database.path.resolve())
    numbered: bytes | None = None
    while not stop.is_set():
        try:
            before = await asyncio.to_thread(read_wal_salts, wal)
            if before is not None and before != numbered:
                await _raise_number(database)
                after = await asyncio.to_thread(read_wal_salts, wal)
                numbered = after if after == before else None  # else it is not sure that this WAL has the number
        except (OSError, DBAPIError, DatabaseProblem) as error:
            log.debug("the number of the database could not be raised: %s", error)  # another part reports a full disk
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_EVERY_S):
                await stop.wait()


async def _raise_number(database: Database) -> None:
    async with database.transaction() as db:
        number = int((await db.exec_driver_sql("PRAGMA user_version")).scalar_one()) + 1
        await db.exec_driver_sql(f"PRAGMA user_version = {number}")
    await asyncio.to_thread(write_private, number_file(database.path), f"{number}\n".encode())
