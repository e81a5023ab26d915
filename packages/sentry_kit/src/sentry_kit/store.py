"""The sentry's one file, `sentry.db` (SQLite). Only its owner can read it, because it contains the token.

Several processes use it at once: `enroll`, `watch` and `leave` change it while `run` runs, and `run` notices that by
`changes()`. Functions over a connection; the caller opens the transaction.
"""

import os
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from protocol.reasons import reason
from protocol.tokens import BadToken, Token, parse_token

from sentry_kit.copies import Copies, are_there, is_new, take_over
from sentry_kit.errors import EnrolmentError, StorageError
from sentry_kit.read_only import is_read_only

SCHEMA = """
CREATE TABLE IF NOT EXISTS enrolment (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    url TEXT NOT NULL, token TEXT, ca_pem TEXT, rig_id INTEGER, rig_name TEXT, state TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS status (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    last_stored_at TEXT, last_error TEXT, two_sentries INTEGER NOT NULL DEFAULT 0,
    rejected_logs INTEGER NOT NULL DEFAULT 0, rejected_reason TEXT, dropped_logs INTEGER NOT NULL DEFAULT 0,
    report_every_s REAL);
INSERT OR IGNORE INTO status (only) VALUES (1);
CREATE TABLE IF NOT EXISTS spool (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    taken_at_ms INTEGER NOT NULL, size INTEGER NOT NULL, body BLOB NOT NULL, source INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS spool_size ON spool (size);
"""
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class State(StrEnum):
    """The state of the sentry towards its commander."""

    NOT_ENROLLED = "not_enrolled"
    ONLINE = "online"
    SPOOLING = "spooling"
    INVALID_TOKEN = "invalid_token"  # noqa: S105 - a state's name
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """The commander to which this sentry reports. Without a token it does not report.

    `signing_key` is the commander's answer to an enrolment; it is stored elsewhere.
    """

    url: str
    token: Token | None
    ca_pem: str | None
    rig_id: int | None
    rig_name: str | None
    state: State
    signing_key: str | None = field(default=None, compare=False)

    def same_rig(self, other: "Enrolment") -> bool:
        """Returns whether it is the same rig. Rigs of two commanders may have the same number."""
        return self.rig_id == other.rig_id and self.same_commander(other)

    def same_commander(self, other: "Enrolment") -> bool:
        """Compares the pins, or else the URLs."""
        pins = {each.token.pin for each in (self, other) if each.token and each.token.pin}
        return len(pins) == 1 if pins and self.token and other.token else self.url == other.url


@dataclass(frozen=True, slots=True)
class Status:
    """The latest status of the running sentry, for other processes."""

    last_stored_at: str | None
    last_error: str | None
    two_sentries: bool
    rejected_logs: int
    rejected_reason: str | None
    dropped_logs: int
    report_every_s: float | None


def open_store(path: Path, schema: str = SCHEMA) -> sqlite3.Connection:
    """Opens the store, and makes it if it is missing. The connection may be used from one thread at a time."""
    try:
        _make(path)
        db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
        db.text_factory = _text
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
            if not _is_up_to_date(db, schema):
                db.executescript(schema)
            _bring_up_to_date(db)
            _take_over_copies(db, path)
            load_status(db)
        except BaseException:
            db.close()
            raise
    except (OSError, sqlite3.Error) as error:
        why = f"The sentry's file {path} can't be opened ({reason(error)})."
        raise StorageError(why + _advice(error, path)) from error
    return db


def _advice(error: Exception, path: Path) -> str:
    if is_damage(error):
        return " The sentry's next start moves it aside and goes on with a new one."
    return " The disk can only be read; the log of a sentry that runs there says how it is." if _is_stuck(path) else ""


def _is_stuck(path: Path) -> bool:
    return path.parent.is_dir() and is_read_only(path.parent)


@contextmanager
def changing(path: Path, schema: str, kept: Mapping[str, str]) -> Iterator[sqlite3.Connection]:
    """Opens the store for a change by another process than the running sentry. `kept` as for `Copies`."""
    with closing(open_store(path, schema)) as db:
        with transaction(db):
            yield db
        Copies(path, kept).save(db)


def _take_over_copies(db: sqlite3.Connection, path: Path) -> None:
    if are_there(path) and is_new(db):
        with transaction(db):
            if is_new(db):  # another process may have been faster
                take_over(db, path)


def _make(path: Path) -> None:
    """Makes a missing file, for its owner only; SQLite gives its `-wal` file the same rights.

    An existing file is never opened here. Closing any descriptor of a file drops all locks that SQLite holds on it in
    this process, and the next process then deletes the WAL (https://www.sqlite.org/howtocorrupt.html, 2.2).
    """
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        if sys.platform != "win32" and path.stat().st_mode & 0o077:  # copied here by hand
            with suppress(PermissionError):
                path.chmod(0o600)


def _text(content: bytes) -> str:
    """Returns a text of the store. A damaged text is readable in part: sqlite3 would refuse its row."""
    return content.decode("utf-8", "replace")


def _is_up_to_date(db: sqlite3.Connection, schema: str) -> bool:
    """Returns whether all tables exist. Nothing is written then, so such a store can be opened on a full disk."""
    tables_in_schema = schema.count("CREATE TABLE")
    tables = db.execute("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    return bool(tables.fetchone()[0] >= tables_in_schema and db.execute("SELECT count(*) FROM status").fetchone()[0])


def _bring_up_to_date(db: sqlite3.Connection) -> None:
    """Adds the column `source`, which the spool of version 0.1.0 did not have."""
    if not _has_sources(db):
        with transaction(db):
            if not _has_sources(db):  # another process may have been faster
                db.execute("ALTER TABLE spool ADD COLUMN source INTEGER NOT NULL DEFAULT 0")


def _has_sources(db: sqlite3.Connection) -> bool:
    return any(column[1] == "source" for column in db.execute("PRAGMA table_info(spool)"))


def is_damage(error: BaseException | None) -> bool:
    """Returns whether the file itself is broken, rather than locked, full or out of reach."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in _DAMAGED


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield db
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise


def changes(db: sqlite3.Connection) -> int:
    """Returns a number that changes when another process changes the store."""
    return int(db.execute("PRAGMA data_version").fetchone()[0])


def load_enrolment(db: sqlite3.Connection) -> Enrolment | None:
    row = db.execute("SELECT url, token, ca_pem, rig_id, rig_name, state FROM enrolment").fetchone()
    if row is None:
        return None
    url, token, ca_pem, rig_id, rig_name, state = row
    try:
        return Enrolment(url, parse_token(token) if token else None, ca_pem, rig_id, rig_name, _state(state))
    except (BadToken, AttributeError, TypeError):  # damaged, or of another version: a new token repairs it
        return Enrolment(url, None, ca_pem, rig_id, rig_name, State.INVALID_TOKEN)


def _state(text: str) -> State:
    """Returns the state. A state of another version is read as `SPOOLING` until the next report."""
    return State(text) if text in set(State) else State.SPOOLING


def save_enrolment(db: sqlite3.Connection, new: Enrolment) -> None:
    """Stores the commander. The spool is kept for the same rig, and cleared for another one."""
    old = load_enrolment(db)
    if old is None or not old.same_rig(new):
        db.execute("DELETE FROM spool")
    token = str(new.token) if new.token else None
    db.execute(
        "INSERT OR REPLACE INTO enrolment VALUES (1, ?, ?, ?, ?, ?, ?)",
        (new.url, token, new.ca_pem, new.rig_id, new.rig_name, new.state),
    )
    db.execute("UPDATE status SET last_error = NULL, two_sentries = 0")


def check_same_commander(old: Enrolment | None, new: Enrolment) -> None:
    """Raises `EnrolmentError` if the sentry still belongs to another commander."""
    if old is not None and old.state is not State.REMOVED and not old.same_commander(new):
        raise EnrolmentError("url", f"This sentry reports to another commander, {old.url}; leave that one first.")


def forget_commander(db: sqlite3.Connection) -> None:
    db.execute("DELETE FROM enrolment")
    db.execute("DELETE FROM spool")
    db.execute("DELETE FROM status")
    db.execute("INSERT INTO status (only) VALUES (1)")


def mark_state(db: sqlite3.Connection, token: Token | None, state: State) -> bool:
    """Stores the state. Returns False if the sentry has another token by now: the state is not about that one."""
    text = str(token) if token else None
    changed = db.execute("UPDATE enrolment SET state = ? WHERE token IS ?", (state, text))
    return changed.rowcount == 1


def mark_removed(db: sqlite3.Connection, token: Token) -> bool:
    """Stores that the rig was removed, and deletes its token and logs. The URL stays, for the form."""
    changed = db.execute("UPDATE enrolment SET state = ?, token = NULL WHERE token = ?", (State.REMOVED, str(token)))
    if changed.rowcount == 1:
        db.execute("DELETE FROM spool")
    return changed.rowcount == 1


def name_rig(db: sqlite3.Connection, token: Token, rig_id: int, rig_name: str) -> None:
    db.execute("UPDATE enrolment SET rig_id = ?, rig_name = ? WHERE token = ?", (rig_id, rig_name, str(token)))


def renew_ca(db: sqlite3.Connection, old_pem: str, new_pem: str) -> None:
    """Replaces the authority's certificate, unless the sentry has been enrolled again meanwhile."""
    db.execute("UPDATE enrolment SET ca_pem = ? WHERE ca_pem = ?", (new_pem, old_pem))


def load_status(db: sqlite3.Connection) -> Status:
    row = db.execute(
        "SELECT last_stored_at, last_error, two_sentries, rejected_logs, rejected_reason, dropped_logs,"
        " report_every_s FROM status"
    ).fetchone()
    return Status(row[0], row[1], bool(row[2]), *row[3:])


def note_error(db: sqlite3.Connection, sentence: str | None) -> None:
    db.execute("UPDATE status SET last_error = ?", (sentence,))


def note_two_sentries(db: sqlite3.Connection, two: bool) -> None:
    db.execute("UPDATE status SET two_sentries = ?", (two,))


def note_interval(db: sqlite3.Connection, report_every_s: float) -> None:
    db.execute("UPDATE status SET report_every_s = ?", (report_every_s,))


def spooled_logs(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT count(*) FROM spool").fetchone()[0])
