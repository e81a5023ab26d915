"""Group commit on a real database: durable before the answer, nothing twice, nothing half."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa
from commander.db import Database, connect_sqlite, from_us, to_us
from commander.intake import group_commit, writers
from commander.intake.group_commit import GroupCommit, Overloaded, StorageAway
from commander.raw_logs import store
from commander.raw_logs.store import NewLog
from commander.raw_logs.tables import LOGS, bucket_of
from commander.readings.cpu_gpu import summary_of
from commander.registry import store as rigs
from commander.registry.kinds import RigKind
from commander_farm import on_sqlite
from protocol.messages import CpuGpuLog

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def a_log(rig_id: int, at_s: int) -> NewLog:
    log = CpuGpuLog(taken_at=NOON + timedelta(seconds=at_s))
    return NewLog(RigKind.CPU_GPU, rig_id, to_us(log.taken_at), msgspec.json.encode(log), summary_of(log))


class Place:
    def __init__(self, database: Database, commit: GroupCommit, heard: list[NewLog]) -> None:
        self.database = database
        self.commit = commit
        self.heard = heard

    async def rows(self) -> list[tuple[int, int]]:
        logs = LOGS[RigKind.CPU_GPU]
        async with self.database.reading() as db:
            found = await db.execute(sa.select(logs.c.rig_id, logs.c.taken_at_us).order_by(logs.c.rig_id, logs.c[2]))
        return [(rig_id, taken_at_us) for rig_id, taken_at_us in found]


@asynccontextmanager
async def a_place(database: Database, rig_count: int = 3) -> AsyncIterator[Place]:
    async with database.transaction() as db:
        for number in range(1, rig_count + 1):
            await rigs.insert_rig(db, RigKind.CPU_GPU, f"rig-{number}", bytes([number]) * 32, now=NOON)
    heard: list[NewLog] = []
    commit = GroupCommit(database, heard.append)
    async with commit.running():
        yield Place(database, commit, heard)


async def test_what_is_answered_is_in_the_database(database: Database) -> None:
    async with a_place(database) as place:
        assert await place.commit.write([a_log(1, 0), a_log(2, 0)]) == [True, True]
        assert await place.rows() == [(1, to_us(NOON)), (2, to_us(NOON))]
        assert len(place.heard) == 2


async def test_many_at_once_are_each_told_their_own(database: Database) -> None:
    async with a_place(database) as place, asyncio.TaskGroup() as group:
        writers = [group.create_task(place.commit.write([a_log(1, n // 2), a_log(2, n)])) for n in range(100)]
    stored = [task.result() for task in writers]
    assert [second for _, second in stored] == [True] * 100
    assert sum(bool(first) for first, _ in stored) == 50
    assert len(place.heard) == len(await place.rows()) == 150


async def test_the_same_log_twice_in_one_report_is_stored_once(database: Database) -> None:
    async with a_place(database) as place:
        assert await place.commit.write([a_log(1, 0), a_log(1, 0), a_log(1, 1)]) == [True, False, True]


async def test_a_removed_rigs_log_is_left_out_and_the_others_are_stored(database: Database) -> None:
    async with a_place(database) as place:
        assert await place.commit.write([a_log(1, 0), a_log(99, 0), a_log(2, 0)]) == [True, None, True]
        assert [rig_id for rig_id, _ in await place.rows()] == [1, 2]


async def test_who_hangs_up_does_not_undo_what_is_on_its_way(database: Database) -> None:
    async with a_place(database) as place:
        impatient = asyncio.create_task(place.commit.write([a_log(1, 0)]))
        await asyncio.sleep(0)
        impatient.cancel()
        assert await place.commit.write([a_log(2, 0)]) == [True]
        assert len(await place.rows()) == 2


async def test_what_waits_at_the_end_is_still_written(database: Database) -> None:
    async with a_place(database) as place:
        waiting = asyncio.create_task(place.commit.write([a_log(1, 0)]))
        await asyncio.sleep(0)
    assert await waiting == [True]


async def test_too_much_waiting_is_refused(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "LOGS_WAITING", 3)
    async with a_place(database) as place, asyncio.TaskGroup() as group:
        first = group.create_task(place.commit.write([a_log(1, 0), a_log(1, 1)]))
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await place.commit.write([a_log(2, 0), a_log(2, 1)])
        assert await first == [True, True]
        assert await place.commit.write([a_log(2, n) for n in range(5)]) == [True] * 5


@on_sqlite
async def test_a_full_disk_stores_nothing_says_so_and_heals(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def limited(path: Path) -> sqlite3.Connection:
        connection = connect_sqlite(path)
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count={pages + 4}")
        limits.append(connection)
        return connection

    limits: list[sqlite3.Connection] = []
    monkeypatch.setattr(writers, "connect_sqlite", limited)
    async with a_place(database) as place:
        with pytest.raises(StorageAway, match="full"):
            await write_until_refused(place)
        assert len(await place.rows()) == len(place.heard) > 0
        limits[0].execute("PRAGMA max_page_count=100000")
        assert await place.commit.write([a_log(3, 0)]) == [True]


async def write_until_refused(place: Place) -> None:
    for n in range(10_000):
        assert await place.commit.write([a_log(1, n), a_log(2, n)]) == [True, True]


@on_sqlite
async def test_old_logs_go_in_bites_and_new_ones_stay(database: Database) -> None:
    async with a_place(database) as place:
        await place.commit.write([a_log(1, n * 60) for n in range(60)])
        bites = await drop_before(database, NOON + timedelta(minutes=30), limit=7)
        assert sum(bites) == 30
        assert max(bites) == 7
        assert len(await place.rows()) == 30


async def test_logs_a_day_older_than_what_is_kept_are_gone_and_what_is_kept_stays(database: Database) -> None:
    async with a_place(database) as place:
        await place.commit.write([a_log(1, -n * 3_600) for n in range(96)])
        await drop_before(database, NOON - timedelta(days=2), limit=5_000)
        oldest = from_us(min(taken_at_us for _, taken_at_us in await place.rows()))
        assert NOON - timedelta(days=3) <= oldest <= NOON - timedelta(days=2)
        assert await place.commit.write([a_log(1, -95 * 3_600)]) == [True], "a late one still finds its place"


async def drop_before(database: Database, kept_from: datetime, *, limit: int) -> list[int]:
    kept = bucket_of(to_us(kept_from))
    bites: list[int] = []
    while not bites or bites[-1]:
        async with database.transaction() as db:
            bites.append(await store.delete_bucket_part(db, RigKind.CPU_GPU, older_than_bucket=kept, limit=limit))
    return bites
