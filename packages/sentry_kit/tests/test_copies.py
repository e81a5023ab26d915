"""The tables that outlive a damaged store, and the others."""

import os
import sqlite3
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from protocol.tokens import TokenKind, new_token
from sentry_kit import store
from sentry_kit.copies import Copies, path_of
from sentry_kit.running import move_aside
from sentry_kit.store import Enrolment, State

SCHEMA = store.SCHEMA + "CREATE TABLE IF NOT EXISTS thing (id INTEGER PRIMARY KEY, body BLOB, note TEXT, size REAL);"
KEPT = {"enrolment": "*", "thing": "id, body, size"}
RIG = Enrolment("https://a.lan", new_token(TokenKind.RIG, pin=None), "a certificate", 7, "rig-07", State.ONLINE)
NOBODY = 65_534
ROW = (3, b"\x00\xff", None, 1.5)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store with an enrolment, a row in another table, and their copies."""
    path = tmp_path / "sentry.db"
    with store.changing(path, SCHEMA, KEPT) as db:
        store.save_enrolment(db, RIG)
        db.execute("INSERT INTO thing VALUES (?, ?, ?, ?)", ROW)
    return path


def lose(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def things(db: sqlite3.Connection) -> list[tuple[object, ...]]:
    return db.execute("SELECT * FROM thing").fetchall()


def test_only_the_owner_may_read_a_copy(path: Path) -> None:
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.glob("*.copy")}
    assert modes == {"sentry-enrolment.copy": 0o600, "sentry-thing.copy": 0o600}


def test_a_store_that_is_gone_is_made_again_from_the_copies(path: Path) -> None:
    lose(path)
    with closing(store.open_store(path, SCHEMA)) as db:
        assert store.load_enrolment(db) == RIG
        assert things(db) == [ROW]


@pytest.mark.parametrize("content", [b"", os.urandom(50_000)], ids=["empty", "noise"])
def test_a_store_that_is_damaged_is_too(path: Path, content: bytes) -> None:
    lose(path)
    path.write_bytes(content)
    if content:
        move_aside(path, SCHEMA, KEPT)
    with closing(store.open_store(path, SCHEMA)) as db:
        assert (store.load_enrolment(db), things(db)) == (RIG, [ROW])


def test_what_was_left_or_removed_stays_so(path: Path) -> None:
    copy = path_of(path, "enrolment").read_bytes()
    with store.changing(path, SCHEMA, KEPT) as db:
        store.forget_commander(db)
    assert RIG.token is not None
    assert RIG.token.secret.encode() not in path_of(path, "enrolment").read_bytes()
    path_of(path, "enrolment").write_bytes(copy)  # the power went before it was written
    with closing(store.open_store(path, SCHEMA)) as db:
        assert store.load_enrolment(db) is None
        Copies(path, KEPT).save(db)
    lose(path)
    with closing(store.open_store(path, SCHEMA)) as db:
        assert store.load_enrolment(db) is None
        assert things(db) == [ROW]


@pytest.mark.parametrize("noise", [b"noise", b"", b"\x82\xa7columns\x91\xa1\xff\xa4rows\x90", b"\x91" * 100_000])
def test_a_copy_that_can_not_be_read_costs_itself_alone(path: Path, noise: bytes) -> None:
    path_of(path, "enrolment").write_bytes(noise)
    path_of(path, "nothing").write_bytes(path_of(path, "thing").read_bytes())
    lose(path)
    with closing(store.open_store(path, SCHEMA)) as db:
        assert (store.load_enrolment(db), things(db)) == (None, [ROW])


@pytest.mark.skipif(sys.platform == "win32", reason="who owns a file is told by POSIX")
def test_a_copy_that_root_wrote_is_replaced_by_the_sentry_s_user() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sentry.db"
        with store.changing(path, SCHEMA, KEPT) as db:
            store.save_enrolment(db, RIG)
        path_of(path, "enrolment").chmod(0)
        with without_roots_rights(path), closing(store.open_store(path, SCHEMA)) as db:
            store.save_enrolment(db, replace(RIG, url="https://b.lan"))
            Copies(path, KEPT).save(db)
        lose(path)
        with closing(store.open_store(path, SCHEMA)) as db:
            assert store.load_enrolment(db) == replace(RIG, url="https://b.lan")


@contextmanager
def without_roots_rights(path: Path) -> Iterator[None]:
    """Runs as the user nobody, because root can read every file."""
    if os.geteuid() != 0:
        yield
        return
    for each in (path.parent, *path.parent.glob(f"{path.name}*")):
        os.chown(each, NOBODY, -1)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_copy_follows_a_change_and_is_not_written_without_one(path: Path) -> None:
    with closing(store.open_store(path, SCHEMA)) as db:
        copies, copy = Copies(path, KEPT), path_of(path, "enrolment")
        before = copy.stat().st_ino
        copies.save(db)
        assert copy.stat().st_ino == before
        store.save_enrolment(db, replace(RIG, url="https://b.lan"))
        copies.save(db)
        assert copy.stat().st_ino != before
    assert [each for each in path.parent.iterdir() if each.name.startswith(".")] == []
    lose(path)
    with closing(store.open_store(path, SCHEMA)) as db:
        assert store.load_enrolment(db) == replace(RIG, url="https://b.lan")


@pytest.mark.parametrize("column", ["token", "state"])
@pytest.mark.parametrize("value", ["mw_rig2_0123", "asleep", b"\xff\xfe", 7])
def test_a_token_or_a_state_that_this_version_can_not_read_is_no_end(path: Path, column: str, value: object) -> None:
    with closing(store.open_store(path, SCHEMA)) as db:
        db.execute(f"UPDATE enrolment SET {column} = ?", (value,))  # noqa: S608 - a test's own word
        known = store.load_enrolment(db)
    assert known is not None
    assert (known.url, known.rig_id) == (RIG.url, RIG.rig_id)
    expected = (None, State.INVALID_TOKEN) if column == "token" else (RIG.token, State.SPOOLING)
    assert (known.token, known.state) == expected


def test_a_text_that_is_damaged_costs_itself_alone(path: Path) -> None:
    with closing(store.open_store(path, SCHEMA)) as db:
        db.execute("UPDATE enrolment SET token = CAST(X'6D775FFF' AS TEXT)")
    with closing(store.open_store(path, SCHEMA)) as db:
        known = store.load_enrolment(db)
    assert known == replace(RIG, token=None, state=State.INVALID_TOKEN)
