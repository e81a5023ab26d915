"""Marks the hours of rigs that have logs to roll up, in the transaction that stores the logs."""

import sqlite3
import time
from collections.abc import Callable, Iterable

from sqlalchemy.ext.asyncio import AsyncConnection

from commander.db import insert_for
from commander.raw_logs.tables import HOUR_S, due_hours
from commander.registry.kinds import RigKind

HOUR_US = HOUR_S * 1_000_000
REMEMBERED_S = 600
Due = tuple[RigKind, int, int]  # kind, rig, hour_s

MARK = (
    "INSERT INTO due_hours (kind, rig_id, hour_s, marks) VALUES (?, ?, ?, 1) "
    "ON CONFLICT (kind, rig_id, hour_s) DO UPDATE SET marks = due_hours.marks + 1"
)


class DueHours:
    """Remembers what it has marked of the hour that is open, so that not every log writes a mark.

    An hour that is over is always marked: it may be rolled up at any moment, and then its mark is gone. For the same
    reason the memory is short: a clock that jumps makes any hour end.
    """

    def __init__(self, now_s: Callable[[], float] = time.time) -> None:
        self._now_s = now_s
        self._marked: set[Due] = set()
        self._until_s = 0.0

    def to_mark(self, kind: RigKind, logs: Iterable[tuple[int, int]]) -> list[Due]:
        """The hours of stored logs, given as (rig, taken at in microseconds), that have to be marked now."""
        hours = {(kind, rig_id, taken_at_us // HOUR_US * HOUR_S) for rig_id, taken_at_us in logs}
        now_s = self._now_s()
        if not self._until_s - REMEMBERED_S <= now_s < self._until_s:
            self._marked.clear()
            self._until_s = (now_s // REMEMBERED_S + 1) * REMEMBERED_S
        return sorted(hours - self._marked)

    def marked(self, hours: Iterable[Due]) -> None:
        """They are committed."""
        open_hour_s = self._now_s() // HOUR_S * HOUR_S
        self._marked.update(hour for hour in hours if hour[2] == open_hour_s)


def mark(cursor: sqlite3.Cursor, hours: Iterable[Due]) -> None:
    cursor.executemany(MARK, hours)


async def mark_due(db: AsyncConnection, hours: Iterable[Due]) -> None:
    """The same by SQLAlchemy, on any database."""
    rows = [{"kind": kind, "rig_id": rig_id, "hour_s": hour_s, "marks": 1} for kind, rig_id, hour_s in hours]
    if rows:
        query = insert_for(db, due_hours)
        keys = [due_hours.c.kind, due_hours.c.rig_id, due_hours.c.hour_s]
        await db.execute(query.on_conflict_do_update(index_elements=keys, set_={"marks": due_hours.c.marks + 1}), rows)
