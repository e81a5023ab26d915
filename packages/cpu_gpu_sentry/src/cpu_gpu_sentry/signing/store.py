"""The pinned key of the commander and the newest signed item, in the sentry's store and in a small file beside it.

They outlive a damaged store like the enrolment. Functions over a connection; the caller opens the transaction.
"""

import sqlite3
from dataclasses import dataclass, replace

import msgspec
from protocol.item_signature import SignedItem, key_from_hex, key_id_of
from sentry_kit.store import Enrolment

SCHEMA = """
CREATE TABLE IF NOT EXISTS signing (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    public_key TEXT NOT NULL, rig_id INTEGER NOT NULL, pinned TEXT NOT NULL, newest BLOB, refused TEXT);
"""
AT_ENROLMENT, AT_FIRST_SIGHT = "at enrolment", "at first sight"


@dataclass(frozen=True, slots=True)
class SigningPin:
    """The key that items must be signed with, and the rig that they must be for.

    `pinned` says when the key became known. `newest` is the newest item that was taken. `refused` says why the inbox's
    items are not taken now.
    """

    public_key: bytes
    rig_id: int
    pinned: str
    newest: SignedItem | None = None
    refused: str | None = None

    @property
    def key_id(self) -> str:
        return key_id_of(self.public_key)

    @property
    def number(self) -> int:
        return self.newest.signature.number if self.newest else 0


def load_pin(db: sqlite3.Connection) -> SigningPin | None:
    """Returns the pin; None if no key is known. A key that can't be read fits no signature."""
    row = db.execute("SELECT public_key, rig_id, pinned, newest, refused FROM signing").fetchone()
    if row is None:
        return None
    public_key, rig_id, pinned, newest, refused = row
    return SigningPin(key_from_hex(str(public_key)) or b"", rig_id, pinned, _newest(newest), refused)


def _newest(blob: bytes | None) -> SignedItem | None:
    try:
        return msgspec.json.decode(blob, type=SignedItem) if blob else None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def save_pin(db: sqlite3.Connection, pin: SigningPin) -> None:
    newest = msgspec.json.encode(pin.newest) if pin.newest else None
    row = (pin.public_key.hex(), pin.rig_id, pin.pinned, newest, pin.refused)
    db.execute("INSERT OR REPLACE INTO signing VALUES (1, ?, ?, ?, ?, ?)", row)


def forget_pin(db: sqlite3.Connection) -> None:
    db.execute("DELETE FROM signing")


def pin_at_enrolment(db: sqlite3.Connection, enrolment: Enrolment) -> None:
    """Pins the key of the commander that a person has just chosen. A commander of an earlier version has none."""
    key, rig_id, old = key_from_hex(enrolment.signing_key or ""), enrolment.rig_id, load_pin(db)
    if key is None or rig_id is None:
        forget_pin(db)
    elif old is not None and (old.public_key, old.rig_id) == (key, rig_id):
        save_pin(db, replace(old, refused=None))
    else:
        save_pin(db, SigningPin(key, rig_id, AT_ENROLMENT))
