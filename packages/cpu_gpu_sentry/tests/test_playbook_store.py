"""Stored playbooks: for the right rig only, and deleted with it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from cpu_gpu_sentry import enrolment
from cpu_gpu_sentry.enrolment import KEPT, SCHEMA, STORE
from cpu_gpu_sentry.playbooks import store
from cpu_gpu_sentry.status import read_status
from cpu_gpu_sentry.watches import Watch, add_watch, load_watches
from protocol.playbook_messages import (
    Archive,
    Platform,
    Playbook,
    Playbooks,
    PlaybooksStatus,
    PlaybookState,
    PlaybookStatus,
    SoftwarePackage,
)
from protocol.tokens import Token, TokenKind, new_token
from sentry_kit import store as kit_store
from sentry_kit.store import Enrolment, State

TOKEN = new_token(TokenKind.RIG, pin=None)
PACKAGE = SoftwarePackage(
    software="xmrig", version="1", url="https://a/b", archive=Archive.TAR_GZ, executable="xmrig", sha256="0" * 64
)
PLAYBOOK = Playbook(
    id="p1", name="Monero", revision=3, package=PACKAGE, platform=Platform.LINUX, script="xmrig", works=[]
)
BODY = msgspec.json.encode(Playbooks(playbooks=[PLAYBOOK]))


def enrolled(token: Token = TOKEN, rig_id: int = 7) -> Enrolment:
    return Enrolment("https://a.lan", token, None, rig_id, "rig", State.ONLINE)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(kit_store.open_store(tmp_path / STORE, SCHEMA)) as connection:
        enrolment.save(connection, enrolled())
        yield connection


def test_nothing_heard_is_not_nothing_wanted(db: sqlite3.Connection) -> None:
    assert store.load_wanted(db) is None
    store.want_nothing(db)
    assert store.load_wanted(db) == store.WantedPlaybooks(None, [])


def test_what_is_wanted_is_kept_with_its_tag(db: sqlite3.Connection, tmp_path: Path) -> None:
    assert store.save_wanted(db, TOKEN, '"a"', BODY)
    assert store.load_wanted(db) == store.WantedPlaybooks('"a"', [PLAYBOOK])
    assert store.is_wanted(tmp_path / STORE, "p1")
    assert not store.is_wanted(tmp_path / STORE, "p2")


def test_an_answer_to_an_old_token_is_not_kept(db: sqlite3.Connection) -> None:
    assert not store.save_wanted(db, new_token(TokenKind.RIG, pin=None), '"a"', BODY)
    assert store.load_wanted(db) is None


def test_what_a_newer_version_kept_is_asked_for_anew(db: sqlite3.Connection) -> None:
    store.save_wanted(db, TOKEN, '"a"', b'{"playbooks":[{"id":1}]}')
    assert store.load_wanted(db) is None


def test_a_new_token_of_the_same_rig_goes_on_mining_and_another_rig_s_stops_it(db: sqlite3.Connection) -> None:
    store.save_wanted(db, TOKEN, '"a"', BODY)
    store.pin(db, "https://a/b", "1" * 64)
    other = new_token(TokenKind.RIG, pin=None)
    enrolment.save(db, enrolled(other))
    assert store.load_wanted(db) == store.WantedPlaybooks('"a"', [PLAYBOOK])
    enrolment.save(db, enrolled(other, rig_id=8))
    assert store.load_wanted(db) == store.WantedPlaybooks(None, [])
    assert store.pinned(db, "https://a/b") is None


def test_a_rig_that_has_left_starts_nothing(db: sqlite3.Connection, tmp_path: Path) -> None:
    store.save_wanted(db, TOKEN, '"a"', BODY)
    kit_store.mark_removed(db, TOKEN)
    assert not store.is_wanted(tmp_path / STORE, "p1")
    enrolment.leave(tmp_path / STORE)
    assert store.load_wanted(db) == store.WantedPlaybooks(None, [])


def test_the_first_pin_holds(db: sqlite3.Connection) -> None:
    store.pin(db, "https://a/b", "1" * 64)
    store.pin(db, "https://a/b", "2" * 64)
    assert store.pinned(db, "https://a/b") == "1" * 64


def test_status_tells_what_was_noted_and_what_was_printed(db: sqlite3.Connection, tmp_path: Path) -> None:
    store.save_wanted(db, TOKEN, '"a"', BODY)
    assert read_status(tmp_path).playbooks[0].state is PlaybookState.WAITING
    said = PlaybookStatus(playbook_id="p1", revision=3, state=PlaybookState.MINING, restarts=2, api_port=4000)
    store.save_status(db, PlaybooksStatus(playbooks=[said]))
    output = tmp_path / "playbooks" / "p1" / "output"
    output.mkdir(parents=True)
    (output / "1-a.000000000000.log").write_bytes(b"\x1b[32mone\x1b[0m\ntwo\n")
    (playbook,) = read_status(tmp_path).playbooks
    assert (playbook.name, playbook.state, playbook.restarts, playbook.api_port) == ("Monero", "mining", 2, 4000)
    assert playbook.last_lines == ["one", "two"]


def test_what_the_operator_said_of_a_miner_outlives_the_store(tmp_path: Path) -> None:
    path = tmp_path / "sentry.db"
    watch = Watch("xmrig", 18080, "127.0.0.1", "Monero", "a token")
    with kit_store.changing(path, SCHEMA, KEPT) as db:
        add_watch(db, watch)
    for each in tmp_path.glob("sentry.db*"):
        each.unlink()
    with closing(kit_store.open_store(path, SCHEMA)) as db:
        assert load_watches(db) == [watch]
