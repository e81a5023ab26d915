"""A write-ahead log that is whole, cut off or damaged, read before SQLite reads it."""

import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from commander.sqlite_wal import FRAME_HEADER_BYTES, HEADER_BYTES, read_wal, read_wal_index, read_wal_salts

PAGE_BYTES = 4096
FRAME_BYTES = FRAME_HEADER_BYTES + PAGE_BYTES
TRANSACTIONS = 5


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A database whose WAL holds a table and five transactions of some pages each, and whose last one has number 5."""
    with closing(sqlite3.connect(tmp_path / "farm.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("CREATE TABLE logs (body BLOB)")
        for number in range(1, TRANSACTIONS + 1):
            add(connection, number)
        yield connection


def add(connection: sqlite3.Connection, number: int, *, end: str = "COMMIT") -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT INTO logs VALUES (?)", (os.urandom(5 * PAGE_BYTES),))
    connection.execute(f"PRAGMA user_version = {number}")
    connection.execute(end)


@pytest.fixture
def left(database: sqlite3.Connection, tmp_path: Path) -> Path:
    """Its WAL, as a killed process leaves it."""
    return copy_of(tmp_path)


def copy_of(folder: Path) -> Path:
    left = folder / "left"
    left.mkdir()
    for suffix in ("", "-wal", "-shm"):
        shutil.copy(folder / f"farm.db{suffix}", left)
    return left / "farm.db-wal"


def index_of(wal: Path) -> Path:
    return wal.with_name("farm.db-shm")


def frames_in(wal: Path) -> int:
    return (wal.stat().st_size - HEADER_BYTES) // FRAME_BYTES


def overwrite(wal: Path, at: int, size: int) -> None:
    with wal.open("r+b") as file:
        file.seek(at)
        file.write(os.urandom(size))


def test_a_whole_wal_is_what_sqlite_says(left: Path) -> None:
    content, index = read_wal(left), read_wal_index(index_of(left))
    assert content is not None
    assert index is not None
    assert content.committed_frames == index.committed_frames == frames_in(left)
    assert content.salts == index.salts == read_wal_salts(left)
    assert content.user_version == TRANSACTIONS
    assert not content.loses_more
    assert index.has_more
    with closing(sqlite3.connect(left.with_name("farm.db"))) as again:
        assert again.execute("SELECT count(*) FROM logs").fetchone() == (TRANSACTIONS,)


def locks_on(path: Path) -> int:
    """Returns how many locks this process holds on the file.

    `/proc/locks` has the locks of the whole machine and shows one of them twice, or not at all, if another process
    changes its own while it is read.
    """
    links = [link for link in Path("/proc/self/fd").iterdir() if link.exists() and link.samefile(path)]
    lines = [Path("/proc/self/fdinfo", link.name).read_text().splitlines() for link in links]
    return sum(line.startswith("lock:") for of_one in lines for line in of_one)


def test_to_read_the_wal_of_an_open_database_drops_no_lock(database: sqlite3.Connection, tmp_path: Path) -> None:
    database.execute("BEGIN IMMEDIATE")
    files = [tmp_path / f"farm.db{suffix}" for suffix in ("", "-wal", "-shm")]
    before = [locks_on(file) for file in files]
    assert before[1] == 0
    assert before[2] > 0
    assert read_wal_salts(files[1])
    assert [locks_on(file) for file in files] == before
    read_wal_index(files[2])
    assert locks_on(files[2]) == 0, "so the index of an open database must not be read"


def test_a_last_transaction_that_is_cut_off_is_normal(left: Path) -> None:
    whole = left.read_bytes()
    frames = frames_in(left)
    for size in (len(whole) - 1, len(whole) - FRAME_BYTES, len(whole) - FRAME_BYTES - 100, HEADER_BYTES):
        left.write_bytes(whole[:size])
        content = read_wal(left)
        assert content is not None
        assert content.committed_frames < frames
        assert content.user_version == (None if size == HEADER_BYTES else TRANSACTIONS - 1)
        assert not content.loses_more


@pytest.mark.parametrize("part", ["header", "page"])
def test_after_a_power_cut_any_frame_of_the_last_transaction_may_be_missing(left: Path, part: str) -> None:
    overwrite(left, left.stat().st_size - 3 * FRAME_BYTES + (0 if part == "header" else 100), FRAME_HEADER_BYTES)
    content, index = read_wal(left), read_wal_index(index_of(left))
    assert content is not None
    assert content.user_version == TRANSACTIONS - 1
    assert not content.loses_more
    assert index is not None
    assert index.committed_frames > content.committed_frames, "after a kill the index is right"


@pytest.mark.parametrize("part", ["header", "page"])
@pytest.mark.parametrize("share", [0.1, 0.5])
def test_a_lost_transaction_that_was_complete_is_noticed(left: Path, part: str, share: float) -> None:
    frame = int(frames_in(left) * share)
    overwrite(left, HEADER_BYTES + frame * FRAME_BYTES + (0 if part == "header" else 100), FRAME_HEADER_BYTES)
    content = read_wal(left)
    assert content is not None
    assert content.loses_more
    assert content.committed_frames <= frame


@pytest.mark.parametrize("at", [0, 8, 16, 24])
def test_a_damaged_header_is_noticed(left: Path, at: int) -> None:
    overwrite(left, at, 4)
    assert read_wal(left) is None


def test_frames_of_an_earlier_wal_count_for_nothing(database: sqlite3.Connection, tmp_path: Path) -> None:
    before = read_wal_salts(tmp_path / "farm.db-wal")
    database.execute("PRAGMA wal_checkpoint(RESTART)")
    add(database, 6)
    wal = copy_of(tmp_path)
    content, index = read_wal(wal), read_wal_index(index_of(wal))
    assert content is not None
    assert index is not None
    assert (content.user_version, content.loses_more) == (6, False)
    assert content.committed_frames == index.committed_frames < frames_in(wal)
    assert content.salts != before


def test_frames_of_a_transaction_that_was_rolled_back_count_for_nothing(
    database: sqlite3.Connection, tmp_path: Path
) -> None:
    database.execute("PRAGMA cache_size = 10")  # so that frames are written before the end
    database.execute("BEGIN IMMEDIATE")
    for _ in range(20):
        database.execute("INSERT INTO logs VALUES (?)", (os.urandom(5 * PAGE_BYTES),))
    database.execute("ROLLBACK")
    add(database, 6)
    wal = copy_of(tmp_path)
    content = read_wal(wal)
    assert content is not None
    assert content.committed_frames < frames_in(wal)
    assert (content.user_version, content.loses_more) == (6, False)


def test_what_is_in_the_database_too_is_not_lost_with_the_wal(database: sqlite3.Connection, tmp_path: Path) -> None:
    database.execute("PRAGMA wal_checkpoint(PASSIVE)")
    index = read_wal_index(index_of(copy_of(tmp_path)))
    assert index is not None
    assert not index.has_more


def test_an_index_that_was_not_written_to_its_end_is_none(left: Path) -> None:
    index = index_of(left)
    whole = index.read_bytes()
    for content in (b"", whole[:100], bytes(len(whole)), os.urandom(len(whole)), whole[:20] + b"\xff" + whole[21:]):
        index.write_bytes(content)
        assert read_wal_index(index) is None
    index.unlink()
    assert read_wal_index(index) is None
