"""Stores the sentry's ASICs, in its one file. Functions over a connection; the caller opens the transaction."""

import logging
import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from protocol.asic_messages import AsicSpecs
from protocol.tokens import Token, parse_token
from sentry_kit import store as kit

from asic_sentry.asics.asic import NO_OVERRIDE, Asic, Override, Refusal, Rig, model_key
from asic_sentry.failures import FailureKind, PollFailure
from asic_sentry.poll import Identity

log = logging.getLogger(__name__)

STORE = "sentry.db"
# AUTOINCREMENT: the spool knows the logs of an ASIC by its number, so no later ASIC may get the same number.
SCHEMA = (
    kit.SCHEMA
    + """
CREATE TABLE IF NOT EXISTS asic (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    ip TEXT NOT NULL UNIQUE, port INTEGER NOT NULL, dialect TEXT NOT NULL, specs TEXT NOT NULL,
    identified_at TEXT NOT NULL, said_model TEXT, mac TEXT,
    name TEXT, rig_id INTEGER, token TEXT NOT NULL, refusal TEXT,
    power_w REAL, coin TEXT,
    answered INTEGER NOT NULL DEFAULT 0, failure_kind TEXT, failure_detail TEXT, failing_since TEXT, news TEXT);
CREATE TABLE IF NOT EXISTS model_entry (
    key TEXT PRIMARY KEY, model TEXT NOT NULL, power_w REAL, coin TEXT);
CREATE TABLE IF NOT EXISTS login (
    key TEXT PRIMARY KEY, user TEXT NOT NULL, password TEXT NOT NULL);
"""
)
KEPT = {
    "enrolment": "*",
    "model_entry": "*",
    "login": "*",
    "asic": "id, ip, port, dialect, specs, identified_at, said_model, mac, name, rig_id, token, power_w, coin",
}  # outlives a damaged file

_COLUMNS = (
    "id, ip, port, dialect, specs, identified_at, said_model, mac, name, rig_id, token, refusal, power_w, coin,"
    " answered, failure_kind, failure_detail, failing_since, news"
)


class NewAsic(msgspec.Struct, frozen=True, kw_only=True):
    """An identified ASIC and its rig in the commander, to be stored."""

    identity: Identity
    operator_model: str | None
    mac: str | None
    token: Token
    rig: Rig


class ModelOverride(msgspec.Struct, frozen=True):
    model: str
    override: Override


def load_asics(db: sqlite3.Connection) -> list[Asic]:
    """Returns all ASICs in the order of their addresses."""
    rows = db.execute(f"SELECT {_COLUMNS} FROM asic")  # noqa: S608 - our own columns' names
    return sorted((asic for row in rows if (asic := _readable(row))), key=lambda asic: address_key(asic.ip))


def _readable(row: tuple[Any, ...]) -> Asic | None:
    """Returns the ASIC; None for a row that is damaged or of another version. A new token repairs it."""
    try:
        return _asic(row)
    except (ValueError, TypeError, AttributeError, msgspec.DecodeError) as error:
        log.warning("asic_unreadable ip=%s %s; add it again with a new token.", row[1], error)
        return None


def _asic(row: tuple[Any, ...]) -> Asic:  # the parsing door: a row of our own table
    (key, ip, port, dialect, specs, identified_at, operator_model, mac, name, rig_id, token, refusal, power_w, coin,
     answered, kind, detail, since, news) = row  # fmt: skip
    return Asic(
        id=key,
        identity=Identity(ip=ip, port=port, dialect=dialect, specs=msgspec.json.decode(specs, type=AsicSpecs)),
        operator_model=operator_model,
        rig=Rig(rig_id, name),
        token=parse_token(token),
        mac=mac,
        override=Override(power_w, coin),
        refusal=Refusal(refusal) if refusal else None,
        failure=PollFailure(FailureKind(kind), detail) if kind else None,
        failing_since=_moment(since),
        answered=bool(answered),
        identified_at=datetime.fromisoformat(identified_at),
        news=news,
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def address_key(ip: str) -> tuple[int, list[int], str]:
    """Sorts IPv4 addresses by their numbers: .9 before .10."""
    parts = ip.split(".")
    return (0, [int(part) for part in parts], "") if len(parts) == 4 else (1, [], ip)


def put_asic(db: sqlite3.Connection, new: NewAsic, now: datetime, *, existing_id: int | None = None) -> int:
    """Stores the ASIC. At a listed address it replaces the ASIC there and keeps the override.

    `existing_id` is its number if it is listed at another address. Waiting logs of another rig are dropped.
    """
    identity, rig = new.identity, new.rig
    row = db.execute(
        "SELECT id, rig_id, name FROM asic WHERE ip = ? OR id = ? ORDER BY ip = ? DESC",
        (identity.ip, existing_id, identity.ip),
    ).fetchone()
    values = (
        identity.ip, identity.port, identity.dialect, _specs_text(identity), now.isoformat(), new.operator_model,
        new.mac, rig.name, rig.id, str(new.token),
    )  # fmt: skip
    if row is None:
        added = db.execute(
            "INSERT INTO asic (ip, port, dialect, specs, identified_at, said_model, mac, name, rig_id, token)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            values,
        )
        return int(added.lastrowid or 0)
    db.execute(
        "UPDATE asic SET ip = ?, port = ?, dialect = ?, specs = ?, identified_at = ?, said_model = ?, mac = ?,"
        " name = ?, rig_id = ?, token = ?, refusal = NULL, failure_kind = NULL, failing_since = NULL, news = NULL"
        " WHERE id = ?",
        (*values, row[0]),
    )
    _drop_logs_of_another_rig(db, row[0], Rig(*row[1:]), rig)
    return int(row[0])


def give_token(db: sqlite3.Connection, asic_id: int, token: Token, rig: Rig) -> bool:
    """Stores a new token for a listed ASIC. Waiting logs are kept if it is the same rig's token."""
    row = db.execute("SELECT rig_id, name FROM asic WHERE id = ?", (asic_id,)).fetchone()
    if row is None:
        return False
    db.execute(
        "UPDATE asic SET token = ?, name = ?, rig_id = ?, refusal = NULL WHERE id = ?",
        (str(token), rig.name, rig.id, asic_id),
    )
    _drop_logs_of_another_rig(db, asic_id, Rig(*row), rig)
    return True


def _drop_logs_of_another_rig(db: sqlite3.Connection, asic_id: int, before: Rig, rig: Rig) -> None:
    if not rig.is_same(before):
        db.execute("DELETE FROM spool WHERE source = ?", (asic_id,))


def holder_of(db: sqlite3.Connection, token: Token) -> str | None:
    """Returns the address of the ASIC that has this token."""
    rows = db.execute("SELECT ip, token FROM asic")
    return next((str(ip) for ip, text in rows if token.secret in str(text)), None)


def remove_asic(db: sqlite3.Connection, ip: str) -> bool:
    """Removes the ASIC and its waiting logs."""
    row = db.execute("DELETE FROM asic WHERE ip = ? RETURNING id", (ip,)).fetchone()
    if row is not None:
        db.execute("DELETE FROM spool WHERE source = ?", row)
    return row is not None


def note_refusal(db: sqlite3.Connection, asic_id: int, token: Token, refusal: Refusal | None) -> bool:
    """Stores the refusal. Returns False if the ASIC has another token by now: the refusal is not about that one."""
    changed = db.execute("UPDATE asic SET refusal = ? WHERE id = ? AND token = ?", (refusal, asic_id, str(token)))
    return changed.rowcount == 1


def name_rig(db: sqlite3.Connection, asic_id: int, token: Token, rig: Rig) -> bool:
    """Stores the rig's current name and number; False if the ASIC has another token by now."""
    changed = db.execute(
        "UPDATE asic SET rig_id = ?, name = ? WHERE id = ? AND token = ?", (rig.id, rig.name, asic_id, str(token))
    )
    return changed.rowcount == 1


def note_failure(db: sqlite3.Connection, asic_id: int, failure: PollFailure | None, since: datetime | None) -> None:
    """Stores a change of the result of polls; it is not called at each poll."""
    db.execute(
        "UPDATE asic SET failure_kind = ?, failure_detail = ?, failing_since = ?, answered = answered OR ?"
        " WHERE id = ?",
        (
            failure.kind if failure else None, failure.detail if failure else None,
            since.isoformat() if since else None, failure is None, asic_id,
        ),
    )  # fmt: skip


def note_identity(
    db: sqlite3.Connection, asic_id: int, identity: Identity, mac: str | None, identified_at: datetime
) -> None:
    """Stores a changed identity. A known MAC is kept."""
    db.execute(
        "UPDATE asic SET port = ?, dialect = ?, specs = ?, identified_at = ?, mac = coalesce(?, mac)"
        " WHERE id = ? AND ip = ?",
        (
            identity.port, identity.dialect, _specs_text(identity), identified_at.isoformat(), mac, asic_id,
            identity.ip,
        ),
    )  # fmt: skip


def note_macs(db: sqlite3.Connection, macs: Mapping[int, str]) -> None:
    """Stores MACs of ASICs that do not report theirs."""
    rows = [(mac, key) for key, mac in macs.items()]
    db.executemany("UPDATE asic SET mac = ? WHERE id = ? AND mac IS NULL", rows)


def move_asics(db: sqlite3.Connection, moved: Mapping[int, Identity], news: Mapping[int, str]) -> None:
    """Stores new addresses. Two ASICs may have exchanged theirs, so all of them get a placeholder first."""
    db.executemany("UPDATE asic SET ip = 'moving ' || id WHERE id = ?", [(key,) for key in moved])
    for key, identity in moved.items():
        db.execute(
            "UPDATE asic SET ip = ?, port = ?, dialect = ?, specs = ?, identified_at = ?, news = ?,"
            " failure_kind = NULL, failing_since = NULL WHERE id = ?",
            (
                identity.ip, identity.port, identity.dialect, _specs_text(identity),
                datetime.now(UTC).isoformat(), news[key], key,
            ),
        )  # fmt: skip


def set_asic_override(db: sqlite3.Connection, ip: str, override: Override) -> bool:
    """Replaces the override of an ASIC; None removes a value. Returns whether the ASIC is listed."""
    changed = db.execute("UPDATE asic SET power_w = ?, coin = ? WHERE ip = ?", (override.power_w, override.coin, ip))
    return changed.rowcount == 1


def set_model_override(db: sqlite3.Connection, model: str, override: Override) -> None:
    """Replaces the override for all ASICs of a model, also later ones. An empty override deletes the row."""
    if override == NO_OVERRIDE:
        db.execute("DELETE FROM model_entry WHERE key = ?", (model_key(model),))
        return
    db.execute(
        "INSERT OR REPLACE INTO model_entry VALUES (?, ?, ?, ?)",
        (model_key(model), model, override.power_w, override.coin),
    )


def asic_override(db: sqlite3.Connection, ip: str) -> Override | None:
    """Returns the override; None if no such ASIC is listed."""
    row = db.execute("SELECT power_w, coin FROM asic WHERE ip = ?", (ip,)).fetchone()
    return None if row is None else Override(*row)


def load_model_overrides(db: sqlite3.Connection) -> dict[str, ModelOverride]:
    """Returns the overrides of models by their keys."""
    rows = db.execute("SELECT key, model, power_w, coin FROM model_entry ORDER BY model")
    return {key: ModelOverride(model, Override(power_w, coin)) for key, model, power_w, coin in rows}


def _specs_text(identity: Identity) -> str:
    return msgspec.json.encode(identity.specs).decode()
