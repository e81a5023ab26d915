"""Chooses the writer of the group commit: SQLite by its driver in a thread, or PostgreSQL."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from typing import Protocol

from protocol.reasons import reason

from commander.db import Database, connect_sqlite
from commander.problems import DatabaseAway
from commander.raw_logs.codec import Packer
from commander.raw_logs.dirty_hours import DueHours
from commander.raw_logs.store import NewLog, write_logs

Written = list[bool | None]


class LogWriter(Protocol):
    async def write(self, logs: Sequence[NewLog]) -> Written:
        """Writes the logs in one transaction; returns for each: True stored, False was there before, None no such rig.

        Logs with True are durable then. If it raises `DatabaseProblem`, none of the logs is stored.
        One call at a time.
        """


@asynccontextmanager
async def log_writer(database: Database, packer: Packer) -> AsyncIterator[LogWriter]:
    with ThreadPoolExecutor(1, "intake") as thread:
        if database.is_postgresql:
            from commander.intake.postgresql_writer import PostgresqlWriter

            yield PostgresqlWriter(database, thread, packer)
        else:
            with closing(connect_sqlite(database.path)) as connection:
                yield SqliteWriter(connection, thread, packer)


class SqliteWriter:
    """The caller holds the database's `write_turn`."""

    def __init__(self, connection: sqlite3.Connection, thread: ThreadPoolExecutor, packer: Packer) -> None:
        self._connection = connection
        self._thread = thread
        self._packer = packer
        self._due = DueHours()

    async def write(self, logs: Sequence[NewLog]) -> Written:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._thread, write_logs, self._connection, logs, self._packer, self._due)
        except sqlite3.Error as error:
            raise DatabaseAway(f"The commander's database can't be written: {reason(error)}.") from error
