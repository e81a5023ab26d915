"""The agent's last reading of each miner, kept in the store for the command `status`, which is another process."""

import sqlite3
from collections.abc import Sequence

import msgspec
from protocol.messages import MinerReading
from protocol.miner_words import miner_word

SCHEMA = """
CREATE TABLE IF NOT EXISTS miner_notes (only INTEGER PRIMARY KEY CHECK (only = 1), body BLOB NOT NULL);
"""


class MinerNote(msgspec.Struct, frozen=True, kw_only=True):
    """A miner's state in the words of the pages, and the reason why it gives no values."""

    api_port: int | None
    playbook_id: str | None
    software: str
    state: str
    word: str
    reason: str | None


def notes_of(miners: Sequence[MinerReading]) -> list[MinerNote]:
    """Returns what stays the same while nothing happens, so no metrics."""
    return [
        MinerNote(
            api_port=each.api_port,
            playbook_id=each.playbook_id,
            software=each.software,
            state=each.state.value,
            word=miner_word(each),
            reason=each.reason,
        )
        for each in miners
    ]


def save_notes(db: sqlite3.Connection, notes: Sequence[MinerNote]) -> None:
    db.execute("INSERT OR REPLACE INTO miner_notes VALUES (1, ?)", (msgspec.json.encode(notes),))


def load_notes(db: sqlite3.Connection) -> list[MinerNote]:
    """Returns the notes; none if there are none or another version wrote them."""
    row = db.execute("SELECT body FROM miner_notes").fetchone()
    try:
        return msgspec.json.decode(row[0], type=list[MinerNote]) if row else []
    except (msgspec.DecodeError, UnicodeDecodeError):
        return []
