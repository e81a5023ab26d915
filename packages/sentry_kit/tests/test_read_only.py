"""A read-only store is loaded into memory: after a clean stop, after a kill, or damaged."""

from contextlib import closing
from pathlib import Path

import pytest
from protocol.tokens import TokenKind, new_token
from sentry_kit import store
from sentry_kit.copies import Copies
from sentry_kit.read_only import SENTENCE, is_in_memory, is_read_only, open_in_memory
from sentry_kit.spool import Limits, Spool
from sentry_kit.store import Enrolment, State

HERE = Enrolment("https://commander.lan:8443", new_token(TokenKind.RIG, pin=None), None, 7, "rig-07", State.ONLINE)


@pytest.mark.parametrize("is_clean", [True, False])
def test_what_stands_in_the_store_is_known_and_waiting_logs_stay_where_they_are(tmp_path: Path, is_clean: bool) -> None:
    path = tmp_path / "sentry.db"
    with closing(store.open_store(path)) as db:
        store.save_enrolment(db, HERE)
        Spool(db, Limits()).append(1, b"{}")
        if is_clean:
            db.close()
        with closing(open_in_memory(path, store.SCHEMA)) as memory:
            assert store.load_enrolment(memory) == HERE
            assert (is_in_memory(memory), len(Spool(memory, Limits()))) == (True, 0)


def test_of_a_damaged_store_the_copies_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "sentry.db"
    with closing(store.open_store(path)) as db:
        store.save_enrolment(db, HERE)
        Copies(path, {"enrolment": "*"}).save(db)
    path.write_bytes(b"noise" * 1000)
    with closing(open_in_memory(path, store.SCHEMA)) as memory:
        assert store.load_enrolment(memory) == HERE


def test_without_a_store_nothing_is_known(tmp_path: Path) -> None:
    with closing(open_in_memory(tmp_path / "sentry.db", store.SCHEMA)) as memory:
        assert store.load_enrolment(memory) is None
    assert list(tmp_path.iterdir()) == []


def test_logs_in_memory_are_few_and_that_is_said(tmp_path: Path) -> None:
    with closing(open_in_memory(tmp_path / "sentry.db", store.SCHEMA)) as memory:
        spool = Spool(memory, Limits(memory_mb=0.01))
        for number in range(100):
            spool.append(number, b"x" * 1000)
        assert (len(spool), spool.trouble) == (10, SENTENCE)


def test_an_ordinary_disk_is_not_read_only(tmp_path: Path) -> None:
    assert not is_read_only(tmp_path)
