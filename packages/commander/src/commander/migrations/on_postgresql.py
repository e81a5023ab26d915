"""The steps on PostgreSQL. Of several commanders that start at once, one takes them and the others wait."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from commander.migrations.revisions import HEAD, check_known
from commander.postgresql import SCHEMA_LOCK, UNFINISHED_MOVE, Connection, checked_connection, explained
from commander.problems import DatabaseProblem

Upgrade = Callable[[str, sa.Connection | None], None]


async def stepping(url: str, upgrade: Upgrade) -> bool:
    async with _connected(url) as db:
        return await _step(db, upgrade)


async def revision_at(url: str) -> str | None:
    async with _connected(url) as db:
        current = await revision(db)
        check_known(current)
        return current


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[AsyncConnection]:
    async def connected() -> Connection:
        return await checked_connection(url)

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connected, poolclass=sa.NullPool)
    try:
        async with engine.connect() as db:
            yield db
    except (OSError, sa.exc.DBAPIError) as error:
        raise explained(error, url) from error
    finally:
        await engine.dispose()


async def _step(db: AsyncConnection, upgrade: Upgrade) -> bool:
    """The lock is the session's and outlives the transactions of the steps; it goes with the connection."""
    await _check_whole(db)
    if await _at_head(db):
        return False
    try:
        await db.execute(sa.select(sa.func.pg_advisory_lock(SCHEMA_LOCK)))
    except sa.exc.DBAPIError as error:
        raise DatabaseProblem(
            "Another commander changes this database's tables, or it is being restored: start again when that is done."
        ) from error
    await db.commit()  # only a new transaction sees what happened while this one waited
    if await _at_head(db):
        return False
    await db.run_sync(lambda connection: upgrade("", connection))
    await db.commit()
    return True


async def _check_whole(db: AsyncConnection) -> None:
    if (await db.execute(sa.select(sa.func.to_regclass(UNFINISHED_MOVE)))).scalar_one() is not None:
        raise DatabaseProblem(
            "A farm is only half copied into this database: type the same `commander migrate-data` again to finish it."
        )


async def _at_head(db: AsyncConnection) -> bool:
    current = await revision(db)
    await db.commit()
    check_known(current)
    return current == HEAD


async def revision(db: AsyncConnection) -> str | None:
    if (await db.execute(sa.text("SELECT to_regclass('alembic_version')"))).scalar_one() is None:
        return None
    current: str | None = (await db.execute(sa.text("SELECT version_num FROM alembic_version"))).scalar_one_or_none()
    return current
