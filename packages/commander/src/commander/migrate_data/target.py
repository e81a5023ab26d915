"""The PostgreSQL side of a move: whether the database is free, and how far the copy is, which stands in it too."""

import asyncpg

from commander.accounts.tables import secrets
from commander.db import metadata
from commander.migrate_data import MigrateDataProblem
from commander.migrations.revisions import HEAD
from commander.postgresql import UNFINISHED_MOVE, Connection, lock_now, other_commanders
from commander.registry.tables import RIGS

MOVE_LOCK = 0x4D57_0003
VERSION_TABLE = "alembic_version"
_TABLES_THERE = (
    "SELECT count(*) FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = ANY('{r,p,v,m}')"
)


async def check_free(target: Connection) -> bool:
    """True if there is an unfinished copy to go on with. Raises `MigrateDataProblem` if anything else is there."""
    if not await lock_now(target, MOVE_LOCK):
        raise MigrateDataProblem("Another `commander migrate-data` fills this database now.")
    if await other_commanders(target):
        raise MigrateDataProblem("A commander runs on the database that is to be filled: stop it first.")
    if await _exists(target, UNFINISHED_MOVE):
        return True
    if await _exists(target, VERSION_TABLE):
        for table in (secrets, *RIGS.values()):
            if await target.fetchval(f"SELECT EXISTS (SELECT FROM {table.name})"):  # noqa: S608 - own name
                raise MigrateDataProblem(
                    "The database holds a farm already: make an empty one, see docs/postgresql.md."
                )
    elif await target.fetchval(_TABLES_THERE):
        raise MigrateDataProblem(
            "The database holds something else already: make an empty one, see docs/postgresql.md."
        )
    return False


async def begin(target: Connection, stamp: str) -> None:
    """From here on no commander starts on this database until the copy is whole. What the migrations put into their
    tables goes: it is in the source too."""
    names = ", ".join(table.name for table in metadata.sorted_tables)
    async with target.transaction():
        await target.execute(f"TRUNCATE {names} RESTART IDENTITY")
        await target.execute(
            f"CREATE TABLE {UNFINISHED_MOVE} (name varchar(64) PRIMARY KEY, copied bigint NOT NULL DEFAULT 0, "
            "last_key text, is_done boolean NOT NULL DEFAULT false)"
        )
        await target.execute(f"COMMENT ON TABLE {UNFINISHED_MOVE} IS {await _literal(target, stamp)}")


async def is_of(target: Connection, stamp: str) -> bool:
    """Returns whether the unfinished copy is of this source as it is now, into the tables as they are now."""
    begun = await _comment_on(target, UNFINISHED_MOVE)
    revision = await target.fetchval(f"SELECT version_num FROM {VERSION_TABLE}")  # noqa: S608 - own name
    return bool(begun == stamp and revision == HEAD)


async def clear(target: Connection) -> None:
    """Everything that an earlier copy has brought, and the tables too: they may be of an older commander."""
    names = [table.name for table in metadata.sorted_tables] + [VERSION_TABLE, UNFINISHED_MOVE]
    await target.execute(f"DROP TABLE IF EXISTS {', '.join(names)}")


async def progress_of(target: Connection, name: str) -> tuple[int, str | None, bool]:
    """Returns how many rows of the table are copied, the key of the last, and whether the copy is complete."""
    row = await target.fetchrow(f"SELECT copied, last_key, is_done FROM {UNFINISHED_MOVE} WHERE name = $1", name)  # noqa: S608 - own name
    return (row[0], row[1], row[2]) if row else (0, None, False)


async def note(target: Connection, name: str, copied: int, last_key: str | None, *, is_done: bool = False) -> None:
    """In the transaction that brings the rows."""
    await target.execute(
        f"INSERT INTO {UNFINISHED_MOVE} VALUES ($1, $2, $3, $4) ON CONFLICT (name) "  # noqa: S608 - own name
        "DO UPDATE SET copied = $2, last_key = $3, is_done = $4",
        name,
        copied,
        last_key,
        is_done,
    )


async def finish(target: Connection, stamp: str) -> None:
    """Now a commander may start here; typed once more, the command knows that the copy is whole."""
    async with target.transaction():
        await target.execute(f"DROP TABLE {UNFINISHED_MOVE}")
        await target.execute(f"COMMENT ON TABLE {VERSION_TABLE} IS {await _literal(target, stamp)}")
    await target.execute("ANALYZE")


async def is_whole(target: Connection, stamp: str) -> bool:
    """Returns whether an earlier copy of this source, as it is now, was finished here."""
    return await _exists(target, VERSION_TABLE) and await _comment_on(target, VERSION_TABLE) == stamp


async def _exists(target: Connection, name: str) -> bool:
    return await target.fetchval("SELECT to_regclass($1)", name) is not None


async def _comment_on(target: Connection, table: str) -> str | None:
    comment: str | None = await target.fetchval("SELECT obj_description($1::text::regclass, 'pg_class')", table)
    return comment


async def _literal(target: Connection, text: str) -> str:
    quoted: str = await target.fetchval("SELECT quote_literal($1)", text)
    return quoted


DRIVER_ERRORS = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)
