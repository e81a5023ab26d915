"""The database: SQLite by default. Storage is functions over a connection; this is where connections come from.

A transaction is opened at the edge (request or job) by `Database.transaction`. SQLite has one writer at a time: a lock
in this process lets writers take turns in order, so that a busy intake can't starve a person's click; other processes
(the command line) wait by SQLite's own busy timeout.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
    }
)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
BUSY_TIMEOUT_S = 15


class Moment(sa.types.TypeDecorator[datetime]):
    """An aware UTC time, kept as whole microseconds since 1970: exact, small and the same in every database."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> int | None:
        return None if value is None else to_us(value)

    def process_result_value(self, value: int | None, dialect: sa.Dialect) -> datetime | None:
        return None if value is None else from_us(value)


def to_us(moment: datetime) -> int:
    return (moment - EPOCH) // MICROSECOND


def from_us(microseconds: int) -> datetime:
    return EPOCH + microseconds * MICROSECOND


class Database:
    """Where the farm's records are. `open_database` makes it and closes it."""

    def __init__(self, url: str) -> None:
        self.path = Path(make_url(url).database or "")
        self._engine = create_async_engine(make_url(url).set(drivername="sqlite+aiosqlite"))
        self.write_turn = asyncio.Lock()
        sa.event.listen(self._engine.sync_engine, "connect", _prepare_connection)
        sa.event.listen(self._engine.sync_engine, "begin", _begin)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """Read and write: committed at the end, rolled back by an exception."""
        async with self.write_turn, self._engine.connect() as connection:
            await connection.execution_options(sqlite_write=True)
            async with connection.begin():
                yield connection

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Read only, one consistent state; never waits for a writer."""
        async with self._engine.connect() as connection, connection.begin():
            yield connection

    async def dispose(self) -> None:
        await self._engine.dispose()


@asynccontextmanager
async def open_database(url: str) -> AsyncIterator[Database]:
    database = Database(url)
    try:
        yield database
    finally:
        await database.dispose()


def connect_sqlite(path: Path) -> sqlite3.Connection:
    """The driver itself, for the intake's hot writes and for the command line."""
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    _set_pragmas(connection.cursor())
    return connection


def _prepare_connection(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    _set_pragmas(cursor)
    cursor.close()


def _set_pragmas(cursor: sqlite3.Cursor) -> None:
    # FULL: what was acknowledged survives a power cut, not only a crash of the process.
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={BUSY_TIMEOUT_S * 1000}",
    ):
        cursor.execute(f"PRAGMA {pragma}")


def _begin(connection: sa.Connection) -> None:
    # IMMEDIATE takes the write lock now: a transaction that read first and wrote later could fail half way.
    write = connection.get_execution_options().get("sqlite_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
