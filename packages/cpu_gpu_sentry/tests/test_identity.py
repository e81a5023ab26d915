"""The sentry's own key, its farm token, and what tells its machine from others."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from cpu_gpu_sentry.enrolment import KEPT, SCHEMA, forget, save
from cpu_gpu_sentry.identity import (
    FarmToken,
    become_copy,
    forget_key,
    load_farm_token,
    load_key,
    own_key,
    save_farm_token,
)
from cpu_gpu_sentry.machine.fingerprint import Fingerprint, board_serial, hashed, read_fingerprint, read_macs
from protocol.tokens import TokenKind, new_token
from sentry_kit import store
from sentry_kit.store import Enrolment, State

FARM = FarmToken("https://a.lan", new_token(TokenKind.FARM, pin=None), None)
RIG = Enrolment("https://a.lan", new_token(TokenKind.RIG, pin=None), None, 7, "rig-07", State.ONLINE)


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(store.open_store(tmp_path / "sentry.db", SCHEMA)) as db:
        yield db


def test_the_key_stays_until_it_is_forgotten(db: sqlite3.Connection) -> None:
    first = own_key(db)
    assert own_key(db) == first
    assert (len(first.key), first.former_key) == (32, None)
    forget_key(db)
    assert own_key(db).key != first.key


def test_a_data_folder_that_is_copied_before_the_first_start_has_a_key(db: sqlite3.Connection) -> None:
    save(db, RIG)
    key = load_key(db)
    assert key is not None
    assert own_key(db) == key


def test_a_copy_keeps_its_former_key_until_it_is_a_rig_of_its_own(db: sqlite3.Connection) -> None:
    first, copy = own_key(db), become_copy(db)
    assert (copy.former_key, copy.key != first.key) == (first.key, True)
    assert own_key(db) == copy
    save(db, RIG)
    assert (own_key(db).key, own_key(db).former_key) == (copy.key, None)


def test_a_copy_shows_its_former_key_with_the_token_that_it_has_until_it_has_one_of_its_own(
    db: sqlite3.Connection,
) -> None:
    first, copy = own_key(db), become_copy(db)
    assert (first.of_token, copy.of_token) == (first.key, first.key)
    save(db, RIG)
    assert own_key(db).of_token == copy.key


@pytest.mark.parametrize(("key", "former_key"), [("no key", None), (b"\xff", None), (32 * "a", "")])
def test_a_damaged_key_is_replaced(db: sqlite3.Connection, key: object, former_key: str | None) -> None:
    first = own_key(db)
    db.execute("UPDATE identity SET key = ?, former_key = ?", (key, former_key))
    assert load_key(db) is None
    assert own_key(db).key != first.key
    assert load_key(db) == own_key(db)


def test_to_leave_the_commander_forgets_the_farm_token_and_keeps_the_key(db: sqlite3.Connection) -> None:
    key = own_key(db)
    save(db, RIG, FARM)
    assert load_farm_token(db) == FARM
    forget(db)
    assert (load_farm_token(db), own_key(db)) == (None, key)


def test_a_damaged_farm_token_is_none(db: sqlite3.Connection) -> None:
    save_farm_token(db, FARM)
    db.execute("UPDATE farm_token SET token = 'mw_farm_x'")
    assert load_farm_token(db) is None


def test_key_and_farm_token_outlive_a_damaged_store() -> None:
    assert {"identity", "farm_token"} <= KEPT.keys()


def a_card(net: Path, name: str, mac: str, *, physical: bool = True, assigned: str = "0") -> None:
    card = net / name
    card.mkdir(parents=True)
    (card / "address").write_text(f"{mac}\n")
    (card / "addr_assign_type").write_text(f"{assigned}\n")
    if physical:
        (card / "device").mkdir()


def test_macs_are_those_of_network_cards(tmp_path: Path) -> None:
    a_card(tmp_path, "lo", "00:00:00:00:00:00", physical=False)
    a_card(tmp_path, "docker0", "02:42:00:00:00:01", physical=False)
    a_card(tmp_path, "eth0", "00:00:5E:00:53:01")
    a_card(tmp_path, "usb0", "9a:00:00:00:00:02", assigned="1")
    a_card(tmp_path, "ib0", "80:00:02:08:fe:80:00:00:00:00:00:00")
    assert read_macs(tmp_path) == ["00:00:5e:00:53:01"]


def test_a_made_up_mac_counts_where_there_is_no_other_one(tmp_path: Path) -> None:
    a_card(tmp_path, "usb0", "9a:00:00:00:00:02", assigned="1")
    assert read_macs(tmp_path) == ["9a:00:00:00:00:02"]


@pytest.mark.parametrize(
    "placeholder",
    ["Default string", "To Be Filled By O.E.M.", "None", "0000000000", "System Serial Number", "123456789", ""],
)
def test_a_board_without_a_serial_number_has_none(tmp_path: Path, placeholder: str) -> None:
    (tmp_path / "board_serial").write_text(f"{placeholder}\n")
    assert board_serial(tmp_path) is None


def test_serial_numbers_leave_the_rig_as_hashes(tmp_path: Path) -> None:
    (tmp_path / "board_serial").write_text("M80-BA012301234\n")
    assert board_serial(tmp_path) == "M80-BA012301234"
    assert len(hashed("M80-BA012301234") or "") == 64
    assert hashed(None) is None


def test_this_machine_has_an_identity(db: sqlite3.Connection) -> None:
    identity = own_key(db).on(read_fingerprint())
    assert len(identity.key) == 32
    assert own_key(db).on(Fingerprint()).macs == []
