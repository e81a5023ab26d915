import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from protocol.tokens import TokenKind, new_token
from sentry_kit import store
from sentry_kit.errors import StorageError
from sentry_kit.running import move_aside
from sentry_kit.store import Enrolment, State

PIN = "cd" * 32
KEPT = {"enrolment": "*"}
RIG = Enrolment("https://a.lan", new_token(TokenKind.RIG, pin=PIN), "a certificate", 7, "rig-07", State.ONLINE)


def spool_one(db: sqlite3.Connection) -> None:
    db.execute("INSERT INTO spool (taken_at_ms, size, body) VALUES (1, 2, '{}')")


def test_only_the_owner_may_read_the_file_with_the_token(tmp_path: Path) -> None:
    with closing(store.open_store(tmp_path / "sentry.db")) as db:
        store.save_enrolment(db, RIG)
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert set(modes.values()) == {0o600}
    assert "sentry.db-wal" in modes


def test_a_file_that_was_copied_here_by_hand_becomes_private_again(tmp_path: Path) -> None:
    path = tmp_path / "sentry.db"
    with closing(store.open_store(path)) as db:
        store.save_enrolment(db, RIG)
    path.chmod(0o644)
    with closing(store.open_store(path)) as db:
        assert store.load_enrolment(db) == RIG
        store.note_error(db, "trouble")
        assert {stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()} == {0o600}


def test_an_enrolment_is_kept(db: sqlite3.Connection) -> None:
    store.save_enrolment(db, RIG)
    assert store.load_enrolment(db) == RIG


def test_a_new_token_of_the_same_rig_keeps_the_spool(db: sqlite3.Connection) -> None:
    store.save_enrolment(db, RIG)
    spool_one(db)
    store.save_enrolment(db, replace(RIG, url="https://b.lan", token=new_token(TokenKind.RIG, pin=PIN)))
    assert store.spooled_logs(db) == 1


@pytest.mark.parametrize(
    "other",
    [replace(RIG, rig_id=8), replace(RIG, token=new_token(TokenKind.RIG, pin="ef" * 32))],
    ids=["another rig", "the same number at another commander"],
)
def test_the_token_of_another_rig_clears_the_spool(db: sqlite3.Connection, other: Enrolment) -> None:
    store.save_enrolment(db, RIG)
    spool_one(db)
    store.save_enrolment(db, other)
    assert store.spooled_logs(db) == 0


def test_a_removed_rig_loses_its_token_and_its_logs_but_not_the_url(db: sqlite3.Connection) -> None:
    assert RIG.token is not None
    store.save_enrolment(db, RIG)
    spool_one(db)
    assert store.mark_removed(db, RIG.token)
    assert store.load_enrolment(db) == replace(RIG, token=None, state=State.REMOVED)
    assert store.spooled_logs(db) == 0


def test_an_answer_about_an_old_token_changes_nothing(db: sqlite3.Connection) -> None:
    store.save_enrolment(db, RIG)
    old = new_token(TokenKind.RIG, pin=PIN)
    assert not store.mark_removed(db, old)
    assert not store.mark_state(db, old, State.INVALID_TOKEN)
    assert store.load_enrolment(db) == RIG


def test_another_process_s_change_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "sentry.db"
    with closing(store.open_store(path)) as agent, closing(store.open_store(path)) as command:
        before = store.changes(agent)
        store.save_enrolment(command, RIG)
        assert store.changes(agent) != before
        before = store.changes(agent)
        store.note_error(agent, "its own change")
        assert store.changes(agent) == before


def test_what_opens_the_store_beside_a_running_sentry_leaves_it_its_files(tmp_path: Path) -> None:
    path = tmp_path / "sentry.db"
    command = "import sys, pathlib, sentry_kit.store as s; s.open_store(pathlib.Path(sys.argv[1])).close()"
    with closing(store.open_store(path)) as agent:
        store.open_store(path).close()  # a form of the local page, in the same process
        subprocess.run([sys.executable, "-c", command, path], check=True)
        spool_one(agent)
        assert path.with_name("sentry.db-wal").exists()
        with closing(sqlite3.connect(path)) as other:
            assert store.spooled_logs(other) == 1


def test_leaving_forgets_everything(db: sqlite3.Connection) -> None:
    store.save_enrolment(db, RIG)
    spool_one(db)
    store.note_error(db, "trouble")
    store.forget_commander(db)
    assert (store.load_enrolment(db), store.spooled_logs(db), store.load_status(db).last_error) == (
        None,
        0,
        None,
    )


def test_a_file_that_is_no_database_is_damage_and_can_be_moved_aside(tmp_path: Path) -> None:
    path = tmp_path / "sentry.db"
    path.write_bytes(b"no database at all, but long enough to be taken for one " * 100)
    with pytest.raises(StorageError) as caught:
        store.open_store(path)
    assert store.is_damage(caught.value.__cause__)
    aside = move_aside(path, store.SCHEMA, KEPT)
    assert aside.read_bytes().startswith(b"no database")
    with closing(store.open_store(path)) as db:
        assert store.load_enrolment(db) is None


def test_a_broken_spool_does_not_cost_the_enrolment(tmp_path: Path) -> None:
    path = tmp_path / "sentry.db"
    with closing(store.open_store(path)) as db:
        store.save_enrolment(db, RIG)
        db.executemany("INSERT INTO spool (taken_at_ms, size, body) VALUES (1, 2000, ?)", [(b"x" * 2000,)] * 500)
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    broken = bytearray(path.read_bytes())
    broken[len(broken) // 2 :] = b"\xff" * (len(broken) - len(broken) // 2)
    path.write_bytes(broken)
    move_aside(path, store.SCHEMA, KEPT)
    with closing(store.open_store(path)) as db:
        assert store.load_enrolment(db) == RIG
        assert store.spooled_logs(db) == 0


def test_a_store_of_the_first_version_is_brought_up_to_date_with_its_logs(tmp_path: Path) -> None:
    path = tmp_path / "sentry.db"
    with closing(sqlite3.connect(path)) as old:
        old.executescript(store.SCHEMA.replace(", source INTEGER NOT NULL DEFAULT 0", ""))
        spool_one(old)
        old.commit()
    with closing(store.open_store(path)) as db:
        assert db.execute("SELECT source, body FROM spool").fetchall() == [(0, "{}")]
