"""PostgreSQL's side of `db.py`: connections, what its errors mean, and the locks that commanders share."""

import asyncio
from typing import TYPE_CHECKING, NamedTuple, Protocol
from urllib.parse import unquote, urlsplit

import asyncpg
import sqlalchemy as sa
from protocol.reasons import reason
from sqlalchemy.engine.interfaces import ExceptionContext
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from commander.problems import DatabaseAway, DatabaseProblem
from commander.strictness import why_refused

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]
else:
    Connection = asyncpg.Connection  # generic for those who read it only

APPLICATION = "minewarden-commander"
OLDEST = 13
CONNECT_TIMEOUT_S = 10
ANSWER_TIMEOUT_S = 45  # when the server itself is gone; it ends a statement of its own accord before
POOL, POOL_OVERFLOW, POOL_TIMEOUT_S = 5, 10, 10
LOOKS, LOOK_EVERY_S = 10, 0.3
SCHEMA_LOCK = 0x4D57_0001  # held by who changes the schema or restores
UNFINISHED_MOVE = "unfinished_move"  # a table that is there while `commander migrate-data` fills the database
SERVER_SETTINGS = {
    "application_name": APPLICATION,
    "synchronous_commit": "on",  # an OK to a sentry means: on disk
    "statement_timeout": "30s",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "60s",
    "jit": "off",  # compiling costs more than any of these queries
}


FAILURES = (  # of a connection; the last one if it breaks between the parts of an answer
    *(OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError),
    asyncpg.InternalClientError,
)


class DatabaseServer(NamedTuple):
    """A PostgreSQL URL's parts that people may read."""

    role: str
    place: str
    database: str


class DriverConnection(Protocol):
    @property
    def driver_connection(self) -> Connection: ...


def server_of(url: str) -> DatabaseServer:
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    role = unquote(parts.username or "")
    database = unquote(parts.path.strip("/")) or role
    return DatabaseServer(
        role or "(the system's user)", f"{parts.hostname or 'localhost'}{port}", database or "(the role's)"
    )


def create_engine(url: str) -> AsyncEngine:
    async def connected() -> Connection:
        return await connect(url)

    engine = create_async_engine(
        "postgresql+asyncpg://",
        async_creator=connected,  # the driver itself reads the URL: all that libpq knows may stand in it
        pool_size=POOL,
        max_overflow=POOL_OVERFLOW,
        pool_timeout=POOL_TIMEOUT_S,
    )

    def on_error(context: ExceptionContext) -> None:
        _say_away(context, url)

    sa.event.listen(engine.sync_engine, "checkout", _refuse_closed)
    sa.event.listen(engine.sync_engine, "handle_error", on_error)
    return engine


async def connect(url: str, **more: str) -> Connection:
    """The driver's own connection, for `COPY` and for the command line. `more` are further settings of the server."""
    return await asyncpg.connect(
        url, timeout=CONNECT_TIMEOUT_S, command_timeout=ANSWER_TIMEOUT_S, server_settings=SERVER_SETTINGS | more
    )


async def checked_connection(url: str, **more: str) -> Connection:
    """A connection without time limits to a server that can hold a farm. Raises `DatabaseProblem`."""
    unhurried = {"statement_timeout": "0", "idle_in_transaction_session_timeout": "0", "lock_timeout": "60s"}
    try:
        connection = await connect(url, **unhurried | more)
    except FAILURES as error:
        raise explained(error, url) from error
    version = connection.get_server_version().major
    encoding = connection.get_settings().server_encoding
    if version >= OLDEST and encoding == "UTF8":
        return connection
    await connection.close()
    server = server_of(url)
    if version < OLDEST:
        raise DatabaseProblem(f"PostgreSQL at {server.place} is version {version}; {OLDEST} or newer is needed.")
    raise DatabaseProblem(
        f"The database {server.database} is encoded in {encoding}; make one with ENCODING 'UTF8' TEMPLATE template0."
    )


async def driver_of(db: AsyncConnection) -> Connection:
    """The driver's connection under SQLAlchemy's, for `COPY` within the same transaction; that must have begun."""
    driver = (await db.get_raw_connection()).driver_connection
    assert isinstance(driver, asyncpg.Connection)  # noqa: S101 - that is what this database's engine makes
    return driver


async def other_commanders(connection: Connection) -> int:
    """Returns how many connections other commanders have to this database; 0 means that none runs on it.

    Those of a process that was killed need a moment to go.
    """
    query = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1 "
        "AND pid <> pg_backend_pid()"
    )
    return await count_after_kills(connection, query, APPLICATION)


async def count_after_kills(connection: Connection, query: str, *arguments: object) -> int:
    """Returns the count of a query, looked at again for a moment while it is not 0."""
    for _ in range(LOOKS):
        if not (count := int(await connection.fetchval(query, *arguments))):
            break
        await asyncio.sleep(LOOK_EVERY_S)
    return count


async def lock_now(connection: Connection, key: int, *, is_shared: bool = False) -> bool:
    """Take a lock of the session; False if somebody has it, and not only because it was killed a moment ago."""
    function = "pg_try_advisory_lock_shared" if is_shared else "pg_try_advisory_lock"
    for _ in range(LOOKS):
        if await connection.fetchval(f"SELECT {function}($1)", key):
            return True
        await asyncio.sleep(LOOK_EVERY_S)
    return False


def explained(error: BaseException, url: str) -> DatabaseProblem:
    """Returns the driver's error in words for people, without the URL's password."""
    cause = _cause(error)
    server = server_of(url)
    for kind, sentence in SENTENCES.items():
        if isinstance(cause, kind):
            return DatabaseProblem(sentence.format(**server._asdict(), why=_why(cause)))
    return DatabaseAway(f"PostgreSQL at {server.place} can't be used now: {_why(cause)}.")


SENTENCES: dict[type[BaseException], str] = {
    asyncpg.InvalidAuthorizationSpecificationError: "PostgreSQL at {place} does not let the role {role} in: {why}. "
    "Look at user and password in COMMANDER_DATABASE_URL.",
    asyncpg.InvalidCatalogNameError: "PostgreSQL at {place} has no database {database}: make it with "
    "`createdb --owner={role} {database}`, see docs/postgresql.md.",
    asyncpg.InsufficientPrivilegeError: "The role {role} lacks a right in the database {database} ({why}): make it the "
    "database's owner with `ALTER DATABASE {database} OWNER TO {role}`.",
    asyncpg.TooManyConnectionsError: "PostgreSQL at {place} has no connection left for the commander: raise its "
    "max_connections.",
    asyncpg.LockNotAvailableError: "The database {database} is being restored, or its tables change ({why}): try again "
    "when that is done.",
    asyncpg.ClientConfigurationError: "COMMANDER_DATABASE_URL can't be read: it looks like "
    "postgresql://USER:PASSWORD@HOST/DATABASE, with special characters as %XX.",
}


def _cause(error: BaseException) -> BaseException:
    """The driver's own error under those of SQLAlchemy."""
    while not isinstance(error, asyncpg.PostgresError | asyncpg.InterfaceError | OSError) and error.__cause__:
        error = error.__cause__
    return error


def _why(cause: BaseException) -> str:
    if isinstance(cause, TimeoutError):
        return "it does not answer in time"
    if isinstance(cause, ConnectionRefusedError):
        return "nothing answers there; is it running"
    if isinstance(cause, OSError):
        return reason(cause)
    if isinstance(cause, asyncpg.ClientConfigurationError):
        return "its URL can't be read"
    return why_refused(cause) or (str(cause) or type(cause).__name__).strip().rstrip(".").splitlines()[0]


def _refuse_closed(dbapi_connection: DriverConnection, _record: object, _proxy: object) -> None:
    """Refuses a connection that the server has closed: the pool then makes a new one, and no caller gets an error."""
    if dbapi_connection.driver_connection.is_closed():
        raise sa.exc.InvalidatePoolError


def _say_away(context: ExceptionContext, url: str) -> None:
    """A lost server becomes one error, whichever way it was lost; a lost network is none of the database's errors."""
    error = context.original_exception
    if isinstance(error, OSError):
        context.is_disconnect = True
    if context.is_disconnect or isinstance(_cause(error), AWAY):
        raise explained(error, url) from error


AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.PostgresIOError,
    asyncpg.ReadOnlySQLTransactionError,
)
