"""The number of the database rises with each write-ahead log that SQLite begins."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from commander import database_number
from commander.database_number import keep_number, number_file, read_number
from commander.db import Database
from commander.sqlite_wal import read_wal_salts
from commander_farm import on_sqlite

pytestmark = on_sqlite


@asynccontextmanager
async def kept(database: Database) -> AsyncIterator[None]:
    stop = asyncio.Event()
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(keep_number(database, stop))
        yield
        stop.set()


async def write(database: Database) -> None:
    async with database.transaction() as db:
        await db.execute(sa.text("UPDATE alembic_version SET version_num = version_num"))


async def number_of(database: Database) -> int:
    async with database.reading() as db:
        return int((await db.execute(sa.text("PRAGMA user_version"))).scalar_one())


async def becomes(database: Database, number: int) -> None:
    while read_number(database.path) != number:  # noqa: ASYNC110 - the file has no event
        await asyncio.sleep(0.02)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The looks at the write-ahead log, which come often."""
    looks: list[Path] = []

    def look(wal: Path) -> bytes | None:
        looks.append(wal)
        return read_wal_salts(wal)

    monkeypatch.setattr(database_number, "read_wal_salts", look)
    monkeypatch.setattr(database_number, "LOOK_EVERY_S", 0.05)
    return looks


async def looked_again(looks: list[Path]) -> None:
    """Waits until a whole round has begun and ended: the first look may end a round, and a round has up to two."""
    enough = len(looks) + 3
    while len(looks) < enough:  # noqa: ASYNC110 - a look has no event
        await asyncio.sleep(0.02)


async def test_each_new_wal_gets_one_number(database: Database, looks: list[Path]) -> None:
    async with kept(database):
        await write(database)
        await becomes(database, 1)
        assert await number_of(database) == 1
        for _ in range(3):
            await write(database)
        await looked_again(looks)
        assert read_number(database.path) == 1, "the same WAL"
        with closing(sqlite3.connect(database.path)) as other:
            assert other.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()[0] == 0
        await write(database)
        await becomes(database, 2)
    assert await number_of(database) == 2


async def test_a_number_that_can_not_be_written_stops_nothing(database: Database, looks: list[Path]) -> None:
    in_the_way = number_file(database.path)
    in_the_way.mkdir()
    async with kept(database):
        await write(database)
        await looked_again(looks)
        assert read_number(database.path) is None
        in_the_way.rmdir()
        while read_number(database.path) != await number_of(database):  # noqa: ASYNC110 - it rises with each try
            await asyncio.sleep(0.02)
