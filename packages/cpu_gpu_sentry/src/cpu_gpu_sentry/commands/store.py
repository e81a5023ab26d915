"""The commands of this rig in the sentry's store: begun before the sentry acts, so that none is ever begun twice."""

import sqlite3

import msgspec
from protocol.command_messages import CommandState, CommandStatus
from protocol.tokens import Token
from sentry_kit.store import State, load_enrolment, transaction

SCHEMA = """
CREATE TABLE IF NOT EXISTS command (
    id TEXT PRIMARY KEY, state TEXT NOT NULL, began_s REAL NOT NULL, is_sent INTEGER NOT NULL DEFAULT 0,
    body BLOB NOT NULL);
"""
_KEPT = 500
AT_ONCE = 64  # in one message
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError)


class BegunCommand(msgspec.Struct, frozen=True):
    """A command without a result. `began_s` is the age of its boot when it began."""

    status: CommandStatus
    began_s: float


def is_known(db: sqlite3.Connection, command_id: str) -> bool:
    return db.execute("SELECT 1 FROM command WHERE id = ?", (command_id,)).fetchone() is not None


def add(db: sqlite3.Connection, token: Token, status: CommandStatus, began_s: float) -> bool:
    """Stores the first state of a command. False: it is known, or was meant for another rig; then nothing is done."""
    with transaction(db):
        enrolment = load_enrolment(db)
        if enrolment is None or enrolment.token != token or enrolment.state is State.REMOVED:
            return False
        added = db.execute(
            "INSERT OR IGNORE INTO command (id, state, began_s, body) VALUES (?, ?, ?, ?)",
            (status.id, status.state, began_s, msgspec.json.encode(status)),
        )
        _make_room(db)
    return added.rowcount == 1


def _make_room(db: sqlite3.Connection) -> None:
    """Forgets the oldest that have ended: the commander knows their results, and names them no more."""
    db.execute(
        "DELETE FROM command WHERE is_sent AND state != ? AND rowid NOT IN"
        " (SELECT rowid FROM command ORDER BY rowid DESC LIMIT ?)",
        (CommandState.BEGUN, _KEPT),
    )


def finish(db: sqlite3.Connection, status: CommandStatus) -> None:
    """Stores the result of a command that has begun."""
    db.execute(
        "UPDATE command SET state = ?, body = ?, is_sent = 0 WHERE id = ? AND state = ?",
        (status.state, msgspec.json.encode(status), status.id, CommandState.BEGUN),
    )


def begun(db: sqlite3.Connection) -> list[BegunCommand]:
    rows = db.execute("SELECT body, began_s FROM command WHERE state = ?", (CommandState.BEGUN,)).fetchall()
    return [BegunCommand(status, began_s) for body, began_s in rows if (status := _decode(body)) is not None]


def unsent(db: sqlite3.Connection, most: int = AT_ONCE) -> list[CommandStatus]:
    """Returns what the commander has not confirmed, oldest first."""
    rows = db.execute("SELECT body FROM command WHERE NOT is_sent ORDER BY rowid LIMIT ?", (most,)).fetchall()
    return [status for (body,) in rows if (status := _decode(body)) is not None]


def newest(db: sqlite3.Connection, most: int) -> list[CommandStatus]:
    """Returns the newest commands, newest first."""
    rows = db.execute("SELECT body FROM command ORDER BY rowid DESC LIMIT ?", (most,)).fetchall()
    return [status for (body,) in rows if (status := _decode(body)) is not None]


def confirm(db: sqlite3.Connection, sent: list[CommandStatus]) -> None:
    """Notes what the commander has; a state that has changed since is sent again. Logs are not kept here any longer."""
    rows = [(_without_results(each), each.id, each.state) for each in sent]
    db.executemany("UPDATE command SET is_sent = 1, body = ? WHERE id = ? AND state = ?", rows)


def drop_results(db: sqlite3.Connection, status: CommandStatus) -> None:
    """Lets the state of a command be sent without what the commander does not take."""
    text = f"{status.text[:400]} The commander did not take the details."
    row = _without_results(msgspec.structs.replace(status, text=text)), status.id, status.state
    db.execute("UPDATE command SET body = ? WHERE id = ? AND state = ?", row)


def _without_results(status: CommandStatus) -> bytes:
    return msgspec.json.encode(msgspec.structs.replace(status, findings=[], logs=[]))


def send_again(db: sqlite3.Connection, command_id: str) -> None:
    """The commander still names this command, so it does not know its state."""
    db.execute("UPDATE command SET is_sent = 0 WHERE id = ?", (command_id,))


def send_begun_again(db: sqlite3.Connection) -> None:
    """After a start: a reboot is known by the boot id that comes with its state."""
    db.execute("UPDATE command SET is_sent = 0 WHERE state = ?", (CommandState.BEGUN,))


def forget_commander(db: sqlite3.Connection) -> None:
    db.execute("DELETE FROM command")


def _decode(body: bytes) -> CommandStatus | None:
    try:
        return msgspec.json.decode(body, type=CommandStatus)
    except _UNREADABLE:
        return None
