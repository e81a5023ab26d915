"""The database: SQLite by default, PostgreSQL by its URL. Storage is functions over a connection; here they come from.

A transaction is opened at the edge (request or job) by `Database.transaction`. SQLite has one writer at a time: a lock
in this process lets writers take turns in order, so that a busy intake can't starve a person's click; other processes
(the command line) wait by SQLite's own busy timeout. PostgreSQL lets writers run side by side (READ COMMITTED): what
two of them might both change is an UPDATE that names the state it expects, or an upsert.
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from operator import methodcaller
from pathlib import Path
from typing import cast

import sqlalchemy as sa
from sqlalchemy.connectors.asyncio import AsyncAdapt_dbapi_connection
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, PoolResetState

from commander.database_url import is_postgresql
from commander.problems import DatabaseAway, DatabaseProblem

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
COMMITTED = "minewarden_committed"  # in the `info` of a connection that goes back without an open transaction


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


def sqlite_path(url: str) -> Path:
    return Path(make_url(url).database or "")


def wal_of(database: Path) -> Path:
    """Returns the write-ahead log of an SQLite database."""
    return database.with_name(f"{database.name}-wal")


class Database:
    """The farm's database. `open_database` makes it and closes it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.is_postgresql = is_postgresql(url)
        self.write_turn: AbstractAsyncContextManager[None] = nullcontext() if self.is_postgresql else asyncio.Lock()
        self._engine = _postgresql_engine(url) if self.is_postgresql else _sqlite_engine(url)

    @property
    def path(self) -> Path:
        """SQLite's file."""
        return sqlite_path(self.url)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """Read and write: committed at the end, rolled back by an exception."""
        async with self.write_turn, self._connected() as connection:
            await connection.execution_options(sqlite_write=True)
            async with connection.begin():
                yield connection
            connection.info[COMMITTED] = True

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Read only, one consistent state; never waits for a writer."""
        async with self._connected() as connection:
            if self.is_postgresql:
                await connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            async with connection.begin():
                yield connection
            connection.info[COMMITTED] = True

    async def now(self) -> datetime:
        """The time that all commanders on this database agree on."""
        if not self.is_postgresql:
            return datetime.now(UTC)
        async with self.reading() as db:
            now: datetime = (await db.execute(sa.select(sa.func.clock_timestamp()))).scalar_one()
        return now.astimezone(UTC)

    async def dispose(self) -> None:
        await self._engine.dispose()

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[AsyncConnection]:
        async with AsyncExitStack() as stack:
            try:
                connection = await stack.enter_async_context(self._engine.connect())
            except (OSError, ValueError, sa.exc.SQLAlchemyError) as error:
                raise problem_of_database(error, self.url) from error
            yield connection


@asynccontextmanager
async def open_database(url: str) -> AsyncIterator[Database]:
    database = Database(url)
    try:
        yield database
    finally:
        await database.dispose()


def insert_for(db: AsyncConnection, table: sa.Table) -> sqlite.Insert:
    """Returns an INSERT that can have ON CONFLICT, for the connection's database; both take the same arguments."""
    if db.dialect.name != "postgresql":
        return sqlite.insert(table)
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(table)  # type: ignore[return-value]  # two classes with the same methods


def is_full(error: Exception) -> bool:
    """Returns whether there is no room on the disk, or the file may not be written: reading still works."""
    text = str(getattr(error, "orig", error)).lower()
    return any(sign in text for sign in ("is full", "no space left", "readonly database", "disk i/o error"))


def problem_of_database(error: Exception, url: str) -> DatabaseProblem:
    """Returns an error for people in place of one of the driver or of SQLAlchemy."""
    if not is_postgresql(url):
        return DatabaseAway(f"The commander's database can't be used: {getattr(error, 'orig', error)}.")
    from commander.postgresql import explained

    return explained(error, url)


def connect_sqlite(path: Path) -> sqlite3.Connection:
    """The driver itself, for the intake's hot writes and for the command line."""
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    _set_pragmas(connection.cursor())
    return connection


def _postgresql_engine(url: str) -> AsyncEngine:
    from commander.postgresql import create_engine  # here: who stays with SQLite does not load the driver

    return create_engine(url)


def _sqlite_engine(url: str) -> AsyncEngine:
    """Makes the engine. A call of the driver runs in a thread and costs 80 µs, so there are as few as possible."""
    engine = create_async_engine(make_url(url).set(drivername="sqlite+aiosqlite"), pool_reset_on_return=None)
    sa.event.listen(engine.sync_engine, "connect", _prepare_connection)
    sa.event.listen(engine.sync_engine, "begin", _begin)
    sa.event.listen(engine.sync_engine, "reset", _end_transaction)
    return engine


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
    if connection.get_execution_options().get("sqlite_write", False):
        # IMMEDIATE takes the write lock now: a transaction that read first and wrote later could fail half way.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:  # it takes no lock and does not look at the file: there is no error that SQLAlchemy has to translate
        dbapi_connection = cast(AsyncAdapt_dbapi_connection, connection.connection.dbapi_connection)
        dbapi_connection.run_async(methodcaller("execute", "BEGIN"))


def _end_transaction(
    connection: AsyncAdapt_dbapi_connection, record: ConnectionPoolEntry | None, state: PoolResetState
) -> None:
    """Rolls back what was not committed when a connection goes back: a COMMIT that failed leaves its transaction open.

    A reader that is cancelled may have a BEGIN under way in the driver's thread. The rollback comes after it.
    """
    is_committed = record is not None and record.info.pop(COMMITTED, False)
    if state.asyncio_safe and not is_committed:
        connection.rollback()
