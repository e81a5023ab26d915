import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sentry_kit import store
from sentry_kit.spool import Limits, Spool, Spooled

DAY_MS = 86_400_000
BODY = b'{"taken_at":"2026-11-20T12:00:00Z"}'


def bodies(spool: Spool, limit: int = 10_000) -> list[bytes]:
    return [log.body for log in spool.oldest(limit, 10**9)]


def fill(spool: Spool, count: int, size: int = 0) -> list[bytes]:
    logs = [b"%06d" % number + b"." * size for number in range(count)]
    for number, body in enumerate(logs):
        spool.append(number, body)
    return logs


def test_logs_come_back_oldest_first_until_they_are_confirmed(db: sqlite3.Connection) -> None:
    spool = Spool(db, Limits())
    logs = fill(spool, 5)
    spool.confirm(spool.oldest(2, 10**9), "2026-11-20T12:00:00+00:00")
    assert bodies(spool) == logs[2:]
    assert bodies(Spool(db, Limits())) == logs[2:]
    assert store.load_status(db).last_stored_at == "2026-11-20T12:00:00+00:00"


def test_a_batch_is_bounded_by_its_size_but_never_empty(db: sqlite3.Connection) -> None:
    spool = Spool(db, Limits())
    fill(spool, 5, size=994)
    assert len(spool.oldest(200, 2500)) == 2
    assert len(spool.oldest(200, 10)) == 1


def test_beyond_its_size_the_oldest_logs_go_and_are_counted(db: sqlite3.Connection) -> None:
    spool = Spool(db, Limits(megabytes=0.01))
    logs = fill(spool, 15, size=994)
    assert bodies(spool) == logs[5:]
    assert len(spool) == 10
    assert store.load_status(db).dropped_logs == 5


class Clock:
    """Monotonic seconds, as the test says."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_beyond_its_age_the_oldest_logs_go_and_are_counted(db: sqlite3.Connection) -> None:
    clock = Clock()
    spool = Spool(db, Limits(days=7), monotonic_s=clock)
    for clock.now_s, body in ((0.0, b"old"), (1.0, b"almost"), (7 * 86_400 + 0.5, b"new")):
        spool.append(int(clock.now_s * 1000), body)
    assert bodies(spool) == [b"almost", b"new"]
    assert store.load_status(db).dropped_logs == 1


def test_a_clock_that_jumps_ahead_and_back_costs_no_log(db: sqlite3.Connection) -> None:
    clock = Clock()
    spool = Spool(db, Limits(days=7), monotonic_s=clock)
    for days, body in ((0, b"now"), (365, b"a year ahead"), (0, b"now again")):
        clock.now_s += 10
        spool.append(days * DAY_MS, body)
    after_restart = Spool(db, Limits(days=7), monotonic_s=clock)
    after_restart.append(10_000, b"and on")
    assert bodies(after_restart) == [b"now", b"a year ahead", b"now again", b"and on"]
    assert store.load_status(db).dropped_logs == 0


def test_rejected_logs_are_counted_with_the_reason(db: sqlite3.Connection) -> None:
    spool = Spool(db, Limits())
    fill(spool, 2)
    spool.confirm(spool.oldest(2, 10**9), None, ["it lies in the future"])
    status = store.load_status(db)
    assert (status.rejected_logs, status.rejected_reason, len(spool)) == (1, "it lies in the future", 0)


def of_sources(*sources: int) -> list[Spooled]:
    return [Spooled(None, number, b"%d of %d" % (number, source), source) for number, source in enumerate(sources)]


def test_what_a_source_holds_back_is_passed_and_comes_when_it_is_released(db: sqlite3.Connection) -> None:
    spool = Spool(db, Limits())
    spool.extend(of_sources(1, 2, 2, 3, 1, 2))
    spool.hold_back({2})
    assert bodies(spool) == [b"0 of 1", b"3 of 3", b"4 of 1"]
    spool.confirm(spool.oldest(2, 10**9), "now")
    assert bodies(spool) == [b"4 of 1"]
    spool.confirm(spool.oldest(9, 10**9), "now")
    assert (bodies(spool), len(spool)) == ([], 3)
    spool.hold_back(set())
    assert bodies(spool) == [b"1 of 2", b"2 of 2", b"5 of 2"]
    assert bodies(Spool(db, Limits())) == bodies(spool)


def test_on_a_full_disk_a_released_source_brings_nothing_back_that_was_confirmed(db: sqlite3.Connection) -> None:
    spool = Spool(db, Limits())
    spool.extend([Spooled(None, 0, b"%d" % source + b"." * 3000, source) for source in (1, 2, 1)])
    db.execute(f"PRAGMA max_page_count = {db.execute('PRAGMA page_count').fetchone()[0]}")
    spool.extend([Spooled(None, 9, b"%d late" % source + b"." * 90_000, source) for source in (1, 2)])
    spool.hold_back({2})
    spool.confirm(spool.oldest(3, 10**9), "now")
    spool.hold_back(set())
    assert [body[:6].strip(b".") for body in bodies(spool)] == [b"2", b"2 late"]
    assert len(spool) == 2


def test_a_removed_source_leaves_nothing_behind(db: sqlite3.Connection) -> None:
    spool = Spool(db, Limits())
    spool.extend(of_sources(1, 2, 1))
    spool.forget({1})
    assert (bodies(spool), len(spool)) == ([b"1 of 2"], 1)
    assert bodies(Spool(db, Limits())) == [b"1 of 2"]


def test_what_was_not_answered_for_comes_again(db: sqlite3.Connection) -> None:
    spool = Spool(db, Limits())
    spool.extend(of_sources(1, 2, 1))
    spool.confirm([each for each in spool.oldest(9, 10**9) if each.source == 1], "now")
    assert bodies(spool) == [b"1 of 2"]


def test_a_source_that_is_released_while_others_are_on_their_way_is_not_passed_over(db: sqlite3.Connection) -> None:
    spool = Spool(db, Limits())
    spool.extend(of_sources(2, 1, 2, 1))
    spool.hold_back({2})
    on_their_way = spool.oldest(9, 10**9)
    spool.hold_back(set())
    spool.confirm(on_their_way, "now")
    assert bodies(spool) == [b"0 of 2", b"2 of 2"]


@pytest.mark.parametrize("limits", [Limits(megabytes=0.0002), Limits(days=1)], ids=["size", "age"])
def test_the_counts_stay_true_whatever_goes(db: sqlite3.Connection, limits: Limits) -> None:
    clock = Clock()
    spool = Spool(db, limits, monotonic_s=clock)
    for day in range(4):
        clock.now_s = day * 86_401.0
        spool.extend([Spooled(None, int(clock.now_s * 1000), b"." * 60, source) for source in (1, 2)])
    spool.confirm(spool.oldest(1, 10**9), None)
    fresh = Spool(db, limits, monotonic_s=clock)
    assert len(spool) == len(fresh) == len(bodies(fresh)) < 8
    assert store.load_status(db).dropped_logs == 8 - 1 - len(spool)


def test_a_full_disk_keeps_new_logs_in_memory_and_heals_by_itself(db: sqlite3.Connection) -> None:
    spool = Spool(db, Limits())
    logs = fill(spool, 3, size=3000)
    pages = db.execute("PRAGMA page_count").fetchone()[0]
    db.execute(f"PRAGMA max_page_count = {pages}")
    for number in range(20):
        spool.append(10 + number, b"late %d" % number + b"." * 3000)
    assert spool.trouble is not None
    assert "disk is full" in spool.trouble
    assert len(spool) == 23
    assert bodies(spool)[:3] == logs
    db.execute("PRAGMA max_page_count = 1000000")
    spool.append(99, b"there is room")
    assert spool.trouble is None
    assert len(bodies(Spool(db, Limits()))) == 24


def test_on_a_full_disk_logs_are_still_sent_and_not_sent_twice(db: sqlite3.Connection) -> None:
    spool = Spool(db, Limits())
    fill(spool, 3, size=3000)
    db.execute(f"PRAGMA max_page_count = {db.execute('PRAGMA page_count').fetchone()[0]}")
    for number in range(20):
        spool.append(10 + number, b"late %d" % number + b"." * 3000)
    spool.confirm(spool.oldest(5, 10**9), "now")
    assert bodies(spool)[0].startswith(b"late 2.")
    assert len(spool) == 18
    spool.confirm(spool.oldest(18, 10**9), "now")
    assert (len(spool), bodies(spool)) == (0, [])


def test_memory_is_bounded_while_the_disk_is_full(db: sqlite3.Connection) -> None:
    spool = Spool(db, Limits())
    db.execute(f"PRAGMA max_page_count = {db.execute('PRAGMA page_count').fetchone()[0]}")
    for number in range(60):
        spool.append(number, b"%d" % number + b"." * 100_000)
    assert 30 < len(spool) < 41
    db.execute("PRAGMA max_page_count = 1000000")
    spool.append(99, b"x")
    assert store.load_status(db).dropped_logs + len(spool) == 61


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB; needs root on Linux."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("mounting a small file system needs root on Linux")
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this machine does not permit mounting")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_a_really_full_disk_is_survived_and_heals(small_disk: Path) -> None:
    with closing(store.open_store(small_disk / "sentry.db")) as db:
        spool = Spool(db, Limits())
        fill(spool, 20, size=1000)
        ballast = small_disk / "ballast"
        with ballast.open("wb") as file:
            fill_up(file.fileno())
        for number in range(300):
            spool.append(100 + number, b"during %d" % number + b"." * 1000)
        assert spool.trouble is not None
        assert len(spool) == 320
        spool.confirm(spool.oldest(50, 10**9), "now")
        assert bodies(spool)[0].startswith(b"during 30.")
        ballast.unlink()
        spool.append(999, b"after")
        assert spool.trouble is None
        assert len(bodies(Spool(db, Limits()))) == 271


def fill_up(file: int) -> None:
    for size in (65536, 4096, 1):
        try:
            while True:
                os.write(file, b"\0" * size)
        except OSError:
            continue


WRITER = """
import sys
from pathlib import Path
from sentry_kit.spool import Limits, Spool
from sentry_kit.store import open_store
spool = Spool(open_store(Path(sys.argv[1])), Limits())
for number in range(int(sys.argv[2]), 1000000):
    spool.append(number, b"%d" % number)
    print(number, flush=True)
"""


def test_kill_9_at_any_moment_loses_no_log_that_was_kept(tmp_path: Path) -> None:
    path = tmp_path / "sentry.db"
    kept: list[int] = []
    dice = random.Random(7)  # noqa: S311 - no secret
    for _round in range(6):
        kept += _write_and_kill(path, first=(kept[-1] + 2) if kept else 0, after=dice.randrange(1, 60))
    with closing(store.open_store(path)) as db:
        found = [int(body) for body in bodies(Spool(db, Limits()))]
    assert len(found) == len(set(found))
    assert set(kept) <= set(found)
    assert len(found) - len(kept) <= 6  # the one that was being written, each time


def _write_and_kill(path: Path, *, first: int, after: int) -> list[int]:
    command = [sys.executable, "-c", WRITER, str(path), str(first)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        kept = [int(writer.stdout.readline()) for _log in range(after)]
        writer.send_signal(signal.SIGKILL)
        kept += [int(line) for line in writer.stdout.read().splitlines() if line]
    return kept
