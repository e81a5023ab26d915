"""A sentry takes items that the pinned key has signed for this rig, and that are newer than all before."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from cpu_gpu_sentry import enrolment
from cpu_gpu_sentry.signing.guard import SignatureGuard
from cpu_gpu_sentry.signing.store import AT_ENROLMENT, AT_FIRST_SIGHT, SigningPin, load_pin, pin_at_enrolment, save_pin
from msgspec.structs import replace
from protocol.inbox_messages import InboxItem
from protocol.messages import RigName, SentryWelcome
from protocol.tokens import TokenKind, new_token
from sentry_kit import store
from sentry_kit.copies import Copies
from sentry_kit.running import move_aside
from sentry_kit.store import Enrolment, State, load_enrolment, save_enrolment
from signatures import RIG_ID, SigningKey, close_stores, guard_of, store_in_memory

TOKEN = new_token(TokenKind.RIG, pin="ab" * 32)
URL = "https://commander.lan:8443"


@pytest.fixture(autouse=True)
def closed_stores() -> Iterator[None]:
    yield
    close_stores()


def enrolled(key: SigningKey | None, rig_id: int = RIG_ID) -> Enrolment:
    text = key.public_key.hex() if key else None
    return Enrolment(URL, TOKEN, None, rig_id, "rig-07", State.ONLINE, text)


def pinned(key: SigningKey) -> tuple[SignatureGuard, sqlite3.Connection]:
    db = store_in_memory()
    save_enrolment(db, enrolled(key))
    save_pin(db, SigningPin(key.public_key, RIG_ID, AT_ENROLMENT))
    return guard_of(db), db


def welcome(key: SigningKey | None) -> SentryWelcome:
    return SentryWelcome(
        kind="rig",
        report_every_s=10,
        playbooks_every_s=60,
        commander_version="1",
        rig=RigName(id=RIG_ID, name="rig-07"),
        signing_key=key.public_key.hex() if key else None,
    )


async def test_a_sentry_without_a_key_takes_everything() -> None:
    guard = guard_of()
    assert await guard.refusal_of(replace(SigningKey().item(5), signature=None)) is None
    assert await guard.refusal_of(SigningKey().item(5)) is None


async def test_what_the_pinned_key_signs_is_taken_in_the_order_of_its_numbers() -> None:
    key = SigningKey()
    guard, db = pinned(key)
    newest = key.item(9)
    assert await guard.refusal_of(key.item(5)) is None
    assert await guard.refusal_of(newest) is None
    assert await guard.refusal_of(newest) is None, "the same item comes again after a lost answer"
    assert "It is old" in (await guard.refusal_of(key.item(8)) or "")
    assert "It is old" in (await guard.refusal_of(key.item(9, body=b'{"playbooks":[]}')) or "")
    assert await guard_of(db).refusal_of(key.item(8)) is not None, "a restart does not forget the number"


async def test_a_pin_that_differs_in_the_store_is_the_one_that_counts() -> None:
    """A write that outlasted its time limit was stored after all."""
    key = SigningKey()
    guard, db = pinned(key)
    assert await guard.refusal_of(key.item(5)) is None
    later = guard_of(db)
    assert await later.refusal_of(key.item(9)) is None
    assert "already taken number 9" in (await guard.refusal_of(key.item(8)) or "")
    assert await later.refusal_of(key.item(10)) is None
    assert await guard.refusal_of(key.item(11)) is None
    assert guard.pin == load_pin(db)
    assert await later.refusal_of(key.item(12)) is None
    await guard.note_refusal("It is old.")
    stored = load_pin(db)
    assert stored == guard.pin
    assert stored is not None
    assert (stored.number, stored.refused) == (12, "It is old.")


def altered(item: InboxItem) -> InboxItem:
    return replace(item, body=msgspec.Raw(b'{"playbooks":[{}]}'))


async def test_everything_else_is_refused_with_a_sentence() -> None:
    key, other = SigningKey(), SigningKey()
    guard, _db = pinned(key)
    assert "is not signed" in (await guard.refusal_of(replace(key.item(5), signature=None)) or "")
    assert "enroll this rig again" in (await guard.refusal_of(other.item(5)) or "")
    assert "signature is wrong" in (await guard.refusal_of(altered(key.item(5))) or "")
    assert "signature is wrong" in (await guard.refusal_of(replace(key.item(5), kind="commands")) or "")
    assert "signed for the rig with the number 8" in (await guard.refusal_of(key.item(5, rig_id=8)) or "")
    assert await guard.refusal_of(key.item(5)) is None


async def test_a_number_that_can_not_be_raised_by_hand() -> None:
    key = SigningKey()
    guard, _db = pinned(key)
    item = key.item(5)
    assert item.signature is not None
    raised = replace(item, signature=replace(item.signature, number=99))
    assert "signature is wrong" in (await guard.refusal_of(raised) or "")
    assert guard.newest is None


async def test_a_refusal_is_kept_until_an_answer_has_none() -> None:
    key = SigningKey()
    guard, db = pinned(key)
    await guard.note_refusal("It is old.")
    assert (guard.refused, guard_of(db).refused) == ("It is old.", "It is old.")
    await guard.note_refusal(None)
    assert (guard.refused, guard_of(db).refused) == (None, None)


async def test_a_sentry_that_an_earlier_version_enrolled_pins_the_first_key_that_it_sees() -> None:
    key, db = SigningKey(), store_in_memory()
    save_enrolment(db, enrolled(None))
    guard = guard_of(db)
    await guard.take_welcome(TOKEN, welcome(None))
    assert guard.pin is None
    await guard.take_welcome(new_token(TokenKind.RIG, pin=None), welcome(SigningKey()))
    assert guard.pin is None, "the answer was about another token"
    await guard.take_welcome(TOKEN, welcome(key))
    await guard.take_welcome(TOKEN, welcome(SigningKey()))
    pin = load_pin(db)
    assert pin is not None
    assert (pin.public_key, pin.rig_id, pin.pinned) == (key.public_key, RIG_ID, AT_FIRST_SIGHT)
    assert await guard.refusal_of(replace(key.item(5), signature=None)) is not None


async def test_an_enrolment_by_a_person_pins_the_key_and_begins_again() -> None:
    key, other = SigningKey(), SigningKey()
    guard, db = pinned(key)
    assert await guard.refusal_of(key.item(9)) is None
    pin_at_enrolment(db, enrolled(key))
    await guard.reload()
    assert await guard.refusal_of(key.item(8)) is not None, "the same rig and key: the number stays"
    enrolment.save(db, enrolled(other, rig_id=8))
    await guard.reload()
    assert await guard.refusal_of(key.item(20)) is not None
    assert await guard.refusal_of(other.item(1, rig_id=8)) is None
    enrolment.save(db, enrolled(None))
    assert load_pin(db) is None, "a commander of an earlier version signs nothing"
    enrolment.save(db, enrolled(key))
    enrolment.forget(db)
    assert load_pin(db) is None


@pytest.mark.parametrize("stored", ["", "no key", "ab" * 31])
async def test_a_pin_that_can_not_be_read_takes_nothing(stored: str) -> None:
    key = SigningKey()
    _guard, db = pinned(key)
    db.execute("UPDATE signing SET public_key = ?", (stored,))
    assert await guard_of(db).refusal_of(key.item(5)) is not None


async def test_the_pin_outlives_a_damaged_store(tmp_path: Path) -> None:
    path, key = tmp_path / enrolment.STORE, SigningKey()
    with closing(store.open_store(path, enrolment.SCHEMA)) as db:
        enrolment.save(db, enrolled(key))
        guard = guard_of(db)
        assert await guard.refusal_of(key.item(9)) is None
        Copies(path, enrolment.KEPT).save(db)
    copy = path.with_name("sentry-signing.copy")
    assert copy.stat().st_mode & 0o077 == 0
    path.write_bytes(b"noise" * 1000)
    move_aside(path, enrolment.SCHEMA, enrolment.KEPT)
    with closing(store.open_store(path, enrolment.SCHEMA)) as db:
        restored = guard_of(db)
        assert load_enrolment(db) is not None
        assert "It is old" in (await restored.refusal_of(key.item(8)) or "")
        assert await restored.refusal_of(key.item(10)) is None


def test_the_status_names_the_key_and_a_refusal(tmp_path: Path) -> None:
    from cpu_gpu_sentry.status import read_status, status_lines

    key = SigningKey()
    with closing(store.open_store(tmp_path / enrolment.STORE, enrolment.SCHEMA)) as db:
        enrolment.save(db, enrolled(key))
        pin = load_pin(db)
        assert pin is not None
        save_pin(db, SigningPin(pin.public_key, pin.rig_id, pin.pinned, None, "It is old."))
    status = read_status(tmp_path)
    assert f"Signed by: key {pin.key_id}, pinned at enrolment" in status_lines(status)
    assert "Playbooks refused: It is old." in status_lines(status)
    assert json.loads(msgspec.json.encode(status))["signing"]["refused"] == "It is old."
