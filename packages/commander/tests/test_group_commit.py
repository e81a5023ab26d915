"""Group commit on a real database: durable before the answer, nothing twice, nothing half."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from commander.db import connect_sqlite, open_database, to_us
from commander.migrations import migrate
from commander.rigs import store as rigs
from commander.rigs.domain import figures_of
from commander.rigs.kinds import RigKind
from commander.telemetry import group_commit, store
from commander.telemetry.group_commit import GroupCommit, Overloaded, StorageAway
from commander.telemetry.store import NewLog
from commander.telemetry.tables import bucket_of
from protocol.messages import CpuGpuLog

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def a_log(rig_id: int, at_s: int) -> NewLog:
    log = CpuGpuLog(taken_at=NOON + timedelta(seconds=at_s))
    return NewLog(RigKind.CPU_GPU, rig_id, to_us(log.taken_at), msgspec.json.encode(log), figures_of(log))


class Place:
    def __init__(self, path: Path, commit: GroupCommit, heard: list[NewLog]) -> None:
        self.path = path
        self.commit = commit
        self.heard = heard

    def rows(self) -> list[tuple[int, int]]:
        with connect_sqlite(self.path) as connection:
            found = connection.execute("SELECT rig_id, taken_at_us FROM cpu_gpu_logs ORDER BY 1, 2").fetchall()
        connection.close()
        return found


@asynccontextmanager
async def a_place(folder: Path, rig_count: int = 3) -> AsyncIterator[Place]:
    migrate(folder / "commander.db")
    async with open_database(f"sqlite:///{folder / 'commander.db'}") as database:
        async with database.transaction() as db:
            for number in range(1, rig_count + 1):
                await rigs.insert_rig(db, RigKind.CPU_GPU, f"rig-{number}", bytes([number]) * 32, now=NOON)
        heard: list[NewLog] = []
        commit = GroupCommit(database, heard.append)
        async with commit.running():
            yield Place(database.path, commit, heard)


async def test_what_is_answered_is_in_the_database(tmp_path: Path) -> None:
    async with a_place(tmp_path) as place:
        assert await place.commit.write([a_log(1, 0), a_log(2, 0)]) == [True, True]
        assert place.rows() == [(1, to_us(NOON)), (2, to_us(NOON))]
        assert len(place.heard) == 2


async def test_many_at_once_are_each_told_their_own(tmp_path: Path) -> None:
    async with a_place(tmp_path) as place, asyncio.TaskGroup() as group:
        writers = [group.create_task(place.commit.write([a_log(1, n // 2), a_log(2, n)])) for n in range(100)]
    stored = [task.result() for task in writers]
    assert [second for _, second in stored] == [True] * 100
    assert sum(bool(first) for first, _ in stored) == 50
    assert len(place.heard) == len(place.rows()) == 150


async def test_the_same_log_twice_in_one_report_is_stored_once(tmp_path: Path) -> None:
    async with a_place(tmp_path) as place:
        assert await place.commit.write([a_log(1, 0), a_log(1, 0), a_log(1, 1)]) == [True, False, True]


async def test_a_removed_rigs_log_is_left_out_and_the_others_are_stored(tmp_path: Path) -> None:
    async with a_place(tmp_path) as place:
        assert await place.commit.write([a_log(1, 0), a_log(99, 0), a_log(2, 0)]) == [True, None, True]
        assert [rig_id for rig_id, _ in place.rows()] == [1, 2]


async def test_who_hangs_up_does_not_undo_what_is_on_its_way(tmp_path: Path) -> None:
    async with a_place(tmp_path) as place:
        impatient = asyncio.create_task(place.commit.write([a_log(1, 0)]))
        await asyncio.sleep(0)
        impatient.cancel()
        assert await place.commit.write([a_log(2, 0)]) == [True]
        assert len(place.rows()) == 2


async def test_what_waits_at_the_end_is_still_written(tmp_path: Path) -> None:
    async with a_place(tmp_path) as place:
        waiting = asyncio.create_task(place.commit.write([a_log(1, 0)]))
        await asyncio.sleep(0)
    assert await waiting == [True]


async def test_too_much_waiting_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "LOGS_WAITING", 3)
    async with a_place(tmp_path) as place, asyncio.TaskGroup() as group:
        first = group.create_task(place.commit.write([a_log(1, 0), a_log(1, 1)]))
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await place.commit.write([a_log(2, 0), a_log(2, 1)])
        assert await first == [True, True]
        assert await place.commit.write([a_log(2, n) for n in range(5)]) == [True] * 5


async def test_a_full_disk_stores_nothing_says_so_and_heals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def limited(path: Path) -> sqlite3.Connection:
        connection = connect_sqlite(path)
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count={pages + 4}")
        limits.append(connection)
        return connection

    limits: list[sqlite3.Connection] = []
    monkeypatch.setattr(group_commit, "connect_sqlite", limited)
    async with a_place(tmp_path) as place:
        with pytest.raises(StorageAway, match="full"):
            await write_until_refused(place)
        assert len(place.rows()) == len(place.heard) > 0
        limits[0].execute("PRAGMA max_page_count=100000")
        assert await place.commit.write([a_log(3, 0)]) == [True]


async def write_until_refused(place: Place) -> None:
    for n in range(10_000):
        assert await place.commit.write([a_log(1, n), a_log(2, n)]) == [True, True]


async def test_old_logs_go_in_bites_and_new_ones_stay(tmp_path: Path) -> None:
    async with a_place(tmp_path) as place:
        await place.commit.write([a_log(1, n * 60) for n in range(60)])
        kept = bucket_of(to_us(NOON + timedelta(minutes=30)))
        async with open_database(f"sqlite:///{place.path}") as database:
            bites: list[int] = []
            while not bites or bites[-1]:
                async with database.transaction() as db:
                    bites.append(await store.delete_bucket_part(db, RigKind.CPU_GPU, older_than_bucket=kept, limit=7))
        assert sum(bites) == 30
        assert max(bites) == 7
        assert len(place.rows()) == 30
