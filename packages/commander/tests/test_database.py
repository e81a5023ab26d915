"""Transactions on SQLite."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from commander.db import Database, open_database

PARENTS = "CREATE TABLE parents (id INTEGER PRIMARY KEY)"
CHILDREN = "CREATE TABLE children (parent INTEGER REFERENCES parents (id) DEFERRABLE INITIALLY DEFERRED)"


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    async with open_database(f"sqlite:///{tmp_path / 'farm.db'}") as database:
        async with database.transaction() as db:
            for table in (PARENTS, CHILDREN):
                await db.execute(sa.text(table))
        yield database


async def children(database: Database) -> int:
    async with database.reading() as db:
        count: int = (await db.execute(sa.text("SELECT count(*) FROM children"))).scalar_one()
    return count


async def test_after_a_commit_that_fails_the_connection_is_used_again(database: Database) -> None:
    for _ in range(2):
        with pytest.raises(sa.exc.IntegrityError):
            async with database.transaction() as db:
                await db.execute(sa.text("INSERT INTO children VALUES (7)"))  # the commit looks for its parent
        assert await children(database) == 0
    async with database.transaction() as db:
        await db.execute(sa.text("INSERT INTO parents VALUES (7)"))
        await db.execute(sa.text("INSERT INTO children VALUES (7)"))
    assert await children(database) == 1


async def test_after_a_transaction_that_is_cancelled_the_connection_is_used_again(database: Database) -> None:
    begun = asyncio.Event()

    async def wait_inside() -> None:
        async with database.transaction() as db:
            await db.execute(sa.text("INSERT INTO parents VALUES (7)"))
            begun.set()
            await asyncio.Event().wait()

    waiting = asyncio.create_task(wait_inside())
    await begun.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    async with database.transaction() as db:
        await db.execute(sa.text("INSERT INTO parents VALUES (7)"))  # it is not there


async def test_whenever_a_reader_is_cancelled_its_connection_is_used_again(database: Database) -> None:
    for steps in range(40):  # of the event loop: in some of these runs the driver's thread has a BEGIN to do
        reading = asyncio.create_task(children(database))
        for _ in range(steps):
            await asyncio.sleep(0)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        assert await children(database) == 0


async def test_whenever_a_writer_is_cancelled_others_can_write(database: Database) -> None:
    async def write() -> None:
        async with database.transaction() as db:
            await db.execute(sa.text("INSERT INTO parents VALUES (7)"))
            await db.execute(sa.text("DELETE FROM parents"))

    for steps in range(40):
        writing = asyncio.create_task(write())
        for _ in range(steps):
            await asyncio.sleep(0)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        await write()


async def test_a_reader_sees_one_state_while_another_writes(database: Database) -> None:
    async with database.reading() as db:
        count = sa.text("SELECT count(*) FROM parents")
        assert (await db.execute(count)).scalar_one() == 0
        async with database.transaction() as writer:
            await writer.execute(sa.text("INSERT INTO parents VALUES (7)"))
        assert (await db.execute(count)).scalar_one() == 0
    async with database.reading() as db:
        assert (await db.execute(count)).scalar_one() == 1
