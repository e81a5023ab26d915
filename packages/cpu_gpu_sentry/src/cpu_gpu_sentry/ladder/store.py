"""The ladder's memory in the sentry's store, so that neither a restart nor a kill forgets anything.

A step and its event are stored in one transaction, before the step is carried out.
"""

import sqlite3
from typing import TypeVar

import msgspec
from msgspec.structs import replace
from protocol.command_messages import LadderEvent, LadderSettings

from cpu_gpu_sentry.ladder.expected_cards import ExpectedCards
from cpu_gpu_sentry.ladder.history import History
from cpu_gpu_sentry.ladder.rig_clock import RigClock
from cpu_gpu_sentry.ladder.usual import PlaybookUsual

SCHEMA = """
CREATE TABLE IF NOT EXISTS ladder (name TEXT PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS ladder_event (
    id TEXT PRIMARY KEY, at_s REAL NOT NULL, is_sent INTEGER NOT NULL DEFAULT 0, body BLOB NOT NULL);
"""
_STATE, _SETTINGS = "state", "settings"
_KEPT_EVENTS = 200
_UNREADABLE = (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError)
T = TypeVar("T")


class LadderState(msgspec.Struct, frozen=True, kw_only=True):
    """All that the ladder knows of earlier times."""

    clock: RigClock = RigClock()
    history: History = msgspec.field(default_factory=History)
    usual: dict[str, PlaybookUsual] = msgspec.field(default_factory=dict)
    cards: ExpectedCards = ExpectedCards()


class StoredEvent(msgspec.Struct, frozen=True):
    """An event, and when it happened by the rig's own clock."""

    at_s: float
    event: LadderEvent


def load_state(db: sqlite3.Connection) -> LadderState:
    """Returns the stored state; a new one if there is none, or if another version wrote it."""
    return _load(db, _STATE, LadderState) or LadderState()


def save_state(db: sqlite3.Connection, state: LadderState) -> None:
    _save(db, _STATE, state)


def load_settings(db: sqlite3.Connection) -> LadderSettings:
    return _load(db, _SETTINGS, LadderSettings) or LadderSettings()


def save_settings(db: sqlite3.Connection, settings: LadderSettings) -> None:
    """Stores the limits. What remains of a maintenance is not one of them: that goes into the history."""
    _save(db, _SETTINGS, replace(settings, maintenance_s=None))


def add_event(db: sqlite3.Connection, at_s: float, event: LadderEvent) -> None:
    db.execute(
        "INSERT OR IGNORE INTO ladder_event (id, at_s, body) VALUES (?, ?, ?)",
        (event.id, at_s, msgspec.json.encode(event)),
    )
    db.execute(
        "DELETE FROM ladder_event WHERE rowid NOT IN (SELECT rowid FROM ladder_event ORDER BY rowid DESC LIMIT ?)",
        (_KEPT_EVENTS,),
    )


def unsent_events(db: sqlite3.Connection) -> list[StoredEvent]:
    """Returns the events that the commander has not confirmed, oldest first."""
    return _events(db.execute("SELECT at_s, body FROM ladder_event WHERE NOT is_sent ORDER BY rowid").fetchall())


def newest_events(db: sqlite3.Connection, most: int) -> list[StoredEvent]:
    """Returns the newest events, newest first."""
    return _events(db.execute("SELECT at_s, body FROM ladder_event ORDER BY rowid DESC LIMIT ?", (most,)).fetchall())


def confirm_events(db: sqlite3.Connection, ids: list[str]) -> None:
    db.executemany("UPDATE ladder_event SET is_sent = 1 WHERE id = ?", [(each,) for each in ids])


def forget_commander(db: sqlite3.Connection) -> None:
    """Forgets what came from, or was meant for, a commander. What the hardware has gone through stays."""
    state = load_state(db)
    history = replace(state.history, holds=(), gave_up=(), maintenance_until_s=None, stopped_by_person=False)
    save_state(db, replace(state, history=history, usual={}))
    db.execute("DELETE FROM ladder WHERE name = ?", (_SETTINGS,))
    db.execute("DELETE FROM ladder_event")


def _events(rows: list[tuple[float, bytes]]) -> list[StoredEvent]:
    return [StoredEvent(at_s, event) for at_s, body in rows if (event := _decode(body, LadderEvent)) is not None]


def _load(db: sqlite3.Connection, name: str, kind: type[T]) -> T | None:
    row = db.execute("SELECT body FROM ladder WHERE name = ?", (name,)).fetchone()
    return _decode(row[0], kind) if row else None


def _save(db: sqlite3.Connection, name: str, value: msgspec.Struct) -> None:
    db.execute("INSERT OR REPLACE INTO ladder VALUES (?, ?)", (name, msgspec.json.encode(value)))


def _decode(body: bytes, kind: type[T]) -> T | None:
    try:
        return msgspec.json.decode(body, type=kind)
    except _UNREADABLE:
        return None
