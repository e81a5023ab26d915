"""The sentry's own key and its farm token, in the store. The caller opens the transaction.

The key is made once. A copy of the data folder on another machine makes another key, and keeps the key before that
until it has a rig of its own.
"""

import re
import secrets
import sqlite3
from dataclasses import dataclass

from protocol.enrolment_messages import Identity
from protocol.tokens import BadToken, Token, parse_token

from cpu_gpu_sentry.machine.fingerprint import Fingerprint

_KEY = re.compile("[0-9a-f]{32}", re.ASCII)
SCHEMA = """
CREATE TABLE IF NOT EXISTS identity (
    only INTEGER PRIMARY KEY CHECK (only = 1), key TEXT NOT NULL, former_key TEXT);
CREATE TABLE IF NOT EXISTS farm_token (
    only INTEGER PRIMARY KEY CHECK (only = 1), url TEXT NOT NULL, token TEXT NOT NULL, ca_pem TEXT);
"""


@dataclass(frozen=True, slots=True)
class OwnKey:
    """`former_key` is that of the rig whose copy this is, until the copy has a rig of its own."""

    key: str
    former_key: str | None

    @property
    def of_token(self) -> str:
        """The key of the rig whose token this sentry has: a copy has the token of the rig that it is a copy of."""
        return self.former_key or self.key

    def on(self, machine: Fingerprint) -> Identity:
        """Returns the message."""
        return Identity(
            key=self.key,
            former_key=self.former_key,
            machine_id=machine.machine_id,
            board_serial=machine.board_serial,
            macs=list(machine.macs),
            hostname=machine.hostname,
        )


@dataclass(frozen=True, slots=True)
class FarmToken:
    """The farm token with which this sentry enrolls, and the commander that has made it."""

    url: str
    token: Token
    ca_pem: str | None


def load_key(db: sqlite3.Connection) -> OwnKey | None:
    """Returns the key, or None if there is none, or a damaged one."""
    row = db.execute("SELECT key, former_key FROM identity").fetchone()
    return OwnKey(*row) if row and _is_key(row[0]) and (row[1] is None or _is_key(row[1])) else None


def _is_key(value: object) -> bool:
    return isinstance(value, str) and _KEY.fullmatch(value) is not None


def own_key(db: sqlite3.Connection) -> OwnKey:
    """Returns the key, and makes it if there is none. A key that is there is read only: the disk may be full."""
    known = load_key(db)
    if known is not None:
        return known
    new = OwnKey(secrets.token_hex(16), None)
    db.execute("INSERT OR REPLACE INTO identity (only, key) VALUES (1, ?)", (new.key,))
    return new


def become_copy(db: sqlite3.Connection) -> OwnKey:
    """Makes another key: the present one belongs to a rig on another machine."""
    db.execute("UPDATE identity SET former_key = key, key = ?", (secrets.token_hex(16),))
    return own_key(db)


def settle(db: sqlite3.Connection) -> None:
    """Notes that the key has a rig of its own."""
    db.execute("UPDATE identity SET former_key = NULL")


def forget_key(db: sqlite3.Connection) -> None:
    db.execute("DELETE FROM identity")


def load_farm_token(db: sqlite3.Connection) -> FarmToken | None:
    row = db.execute("SELECT url, token, ca_pem FROM farm_token").fetchone()
    try:
        return FarmToken(row[0], parse_token(row[1]), row[2]) if row else None
    except (BadToken, AttributeError, TypeError):  # damaged, or of another version
        return None


def save_farm_token(db: sqlite3.Connection, farm: FarmToken) -> None:
    row = (farm.url, str(farm.token), farm.ca_pem)
    db.execute("INSERT OR REPLACE INTO farm_token (only, url, token, ca_pem) VALUES (1, ?, ?, ?)", row)


def forget_farm_token(db: sqlite3.Connection) -> None:
    db.execute("DELETE FROM farm_token")
