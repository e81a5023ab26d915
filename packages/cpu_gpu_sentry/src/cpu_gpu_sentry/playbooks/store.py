"""The wanted playbooks and the pinned downloads, in the sentry's store.

Without a row in `wanted` the commander has not answered yet, and running playbooks go on. An empty list means that
nothing is to run.
"""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import msgspec
from protocol.playbook_messages import Playbook, Playbooks, PlaybooksStatus
from protocol.tokens import Token
from sentry_kit.store import State, load_enrolment, transaction

SCHEMA = """
CREATE TABLE IF NOT EXISTS wanted (only INTEGER PRIMARY KEY CHECK (only = 1), etag TEXT, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS playbook_status (only INTEGER PRIMARY KEY CHECK (only = 1), body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS pin (url TEXT PRIMARY KEY, sha256 TEXT NOT NULL);
"""
NOTHING = msgspec.json.encode(Playbooks(playbooks=[]))


@dataclass(frozen=True, slots=True)
class WantedPlaybooks:
    etag: str | None
    playbooks: list[Playbook]


def load_wanted(db: sqlite3.Connection) -> WantedPlaybooks | None:
    """Returns the wanted playbooks; None if there are none yet or this version can't read them. Then the commander
    sends them again."""
    row = db.execute("SELECT etag, body FROM wanted").fetchone()
    if row is None:
        return None
    try:
        return WantedPlaybooks(row[0], msgspec.json.decode(row[1], type=Playbooks).playbooks)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def save_wanted(db: sqlite3.Connection, token: Token, etag: str | None, body: bytes) -> bool:
    """Stores the wanted playbooks. Returns False if the sentry has another token by now: they are not meant for it."""
    with transaction(db):
        enrolment = load_enrolment(db)
        if enrolment is None or enrolment.token != token:
            return False
        db.execute("INSERT OR REPLACE INTO wanted VALUES (1, ?, ?)", (etag, body))
    return True


def is_wanted(store_path: Path, playbook_id: str) -> bool:
    """Returns whether the playbook is wanted. Called right before a start: `leave` may just have been called."""
    with closing(sqlite3.connect(f"{store_path.resolve().as_uri()}?mode=ro", uri=True, timeout=5)) as db:
        enrolment, wanted = load_enrolment(db), load_wanted(db)
    is_removed = enrolment is not None and enrolment.state is State.REMOVED
    return not is_removed and wanted is not None and playbook_id in [each.id for each in wanted.playbooks]


def want_nothing(db: sqlite3.Connection) -> None:
    """Removes what the former rig was to run, and its pins: the sentry has another rig now, or none."""
    db.execute("INSERT OR REPLACE INTO wanted VALUES (1, NULL, ?)", (NOTHING,))
    db.execute("DELETE FROM playbook_status")
    db.execute("DELETE FROM pin")


def save_status(db: sqlite3.Connection, status: PlaybooksStatus) -> None:
    db.execute("INSERT OR REPLACE INTO playbook_status VALUES (1, ?)", (msgspec.json.encode(status),))


def load_status(db: sqlite3.Connection) -> PlaybooksStatus:
    row = db.execute("SELECT body FROM playbook_status").fetchone()
    try:
        return msgspec.json.decode(row[0], type=PlaybooksStatus) if row else PlaybooksStatus(playbooks=[])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return PlaybooksStatus(playbooks=[])


def pinned(db: sqlite3.Connection, url: str) -> str | None:
    row = db.execute("SELECT sha256 FROM pin WHERE url = ?", (url,)).fetchone()
    return row[0] if row else None


def pin(db: sqlite3.Connection, url: str, sha256: str) -> None:
    db.execute("INSERT OR IGNORE INTO pin VALUES (?, ?)", (url, sha256))
