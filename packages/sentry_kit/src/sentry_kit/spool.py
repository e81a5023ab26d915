"""Logs that the commander has not confirmed yet, on disk, oldest first.

A log is committed, with `synchronous=FULL`, before sending is tried, and deleted only after the commander's
answer: kill -9 loses at most the one that was being written. The spool is bounded; the oldest go first. While
the disk is full the newest logs wait in memory, and are written as soon as there is room.

How old a log is, is counted from the newest one at the start and by the monotonic clock from then on: a rig whose
clock jumps a year ahead must not lose its spool to that.
"""

import sqlite3
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sentry_kit.store import is_damage, transaction

_MEMORY_LIMIT_BYTES = 4_000_000
_DAY_MS = 86_400_000
_EVICT_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Limits:
    days: float = 7
    megabytes: float = 256


@dataclass(frozen=True, slots=True, eq=False)
class Spooled:
    """One log; without an id it is not on disk yet."""

    id: int | None
    taken_at_ms: int
    body: bytes


class Spool:
    """Used by one thread at a time; `trouble` says why logs wait in memory, if they do."""

    def __init__(
        self, db: sqlite3.Connection, limits: Limits, *, monotonic_s: Callable[[], float] = time.monotonic
    ) -> None:
        self.trouble: str | None = None
        self._db = db
        self._limits = limits
        self._unsaved: deque[Spooled] = deque()
        self._unsaved_bytes = 0
        self._dropped = 0  # not yet counted in the store
        self._confirmed_id = 0  # up to here the commander has them, even where the disk is too full to delete them
        self._monotonic_s = monotonic_s
        newest = db.execute("SELECT taken_at_ms FROM spool ORDER BY id DESC LIMIT 1").fetchone()
        self._began = None if newest is None else (int(newest[0]), monotonic_s())
        self.recount()

    def recount(self) -> None:
        """After another process may have changed the store."""
        row = self._db.execute(
            "SELECT (SELECT count(*) FROM spool), (SELECT coalesce(sum(size), 0) FROM spool),"
            " (SELECT count(*) FROM spool WHERE id <= ?)",
            (self._confirmed_id,),
        ).fetchone()
        self._rows = int(row[0] - row[2])

    def __len__(self) -> int:
        return self._rows + len(self._unsaved)

    def append(self, taken_at_ms: int, body: bytes) -> None:
        """Keeps the log. It is on disk afterwards, unless `trouble` says otherwise."""
        self._unsaved.append(Spooled(None, taken_at_ms, body))
        self._unsaved_bytes += len(body)
        self._settle(taken_at_ms)
        while self._unsaved_bytes > _MEMORY_LIMIT_BYTES:
            self._unsaved_bytes -= len(self._unsaved.popleft().body)
            self._dropped += 1

    def oldest(self, limit: int, limit_bytes: int) -> list[Spooled]:
        """The next logs to send: at least one, if there is any, and then as many as the limits allow."""
        batch: list[Spooled] = []
        size = 0
        rows = self._db.execute(
            "SELECT id, taken_at_ms, body FROM spool WHERE id > ? ORDER BY id LIMIT ?",
            (self._confirmed_id, limit),
        )
        for log in (*(Spooled(*row) for row in rows), *self._unsaved):
            size += len(log.body)
            if len(batch) == limit or (batch and size > limit_bytes):
                break
            batch.append(log)
        return batch

    def confirm(self, batch: Sequence[Spooled], stored_at: str | None, rejected: Sequence[str] = ()) -> None:
        """The commander has answered for these, the oldest ones: they need not be kept any longer."""
        for log in batch:
            if log.id is None:
                self._forget_unsaved(log)
            elif log.id > self._confirmed_id:
                self._confirmed_id = log.id
                self._rows -= 1
        self._settle(None, stored_at, rejected)

    def clear(self) -> None:
        """Drops what waits in memory; what is on disk is cleared by whoever changes the enrolment."""
        self._unsaved.clear()
        self._unsaved_bytes = 0
        self.recount()

    def _forget_unsaved(self, log: Spooled) -> None:
        if log in self._unsaved:
            self._unsaved.remove(log)
            self._unsaved_bytes -= len(log.body)

    def _settle(self, taken_at_ms: int | None, stored_at: str | None = None, rejected: Sequence[str] = ()) -> None:
        """Brings the disk up to date, in one transaction; what fails is tried again with the next log."""
        try:
            with transaction(self._db):
                self._write(taken_at_ms, stored_at, rejected)
        except sqlite3.Error as error:
            if is_damage(error):
                raise
            self.trouble = _sentence(error)
            return
        self.trouble = None
        self._unsaved.clear()
        self._unsaved_bytes = self._dropped = 0
        self.recount()

    def _write(self, taken_at_ms: int | None, stored_at: str | None, rejected: Sequence[str]) -> None:
        db = self._db
        db.execute("DELETE FROM spool WHERE id <= ?", (self._confirmed_id,))
        db.executemany(
            "INSERT INTO spool (taken_at_ms, size, body) VALUES (?, ?, ?)",
            [(log.taken_at_ms, len(log.body), log.body) for log in self._unsaved],
        )
        dropped = self._dropped + (self._evict(taken_at_ms) if taken_at_ms is not None else 0)
        if dropped:
            db.execute("UPDATE status SET dropped_logs = dropped_logs + ?", (dropped,))
        if rejected:
            db.execute(
                "UPDATE status SET rejected_logs = rejected_logs + ?, rejected_reason = ?",
                (len(rejected), rejected[-1]),
            )
        if stored_at:
            db.execute("UPDATE status SET last_stored_at = ?", (stored_at,))

    def _steady_ms(self, taken_at_ms: int) -> int:
        """Now, as far as age is concerned: it does not jump with the rig's clock."""
        if self._began is None:
            self._began = taken_at_ms, self._monotonic_s()
        began_ms, began_s = self._began
        return began_ms + int((self._monotonic_s() - began_s) * 1000)

    def _evict(self, taken_at_ms: int) -> int:
        """Deletes what is older or more than the limits allow; how many that was."""
        too_old = self._steady_ms(taken_at_ms) - int(self._limits.days * _DAY_MS)
        gone = self._db.execute(
            "DELETE FROM spool WHERE id IN (SELECT id FROM spool ORDER BY id LIMIT ?) AND taken_at_ms < ?",
            (_EVICT_AT_ONCE, too_old),
        ).rowcount
        size = self._db.execute("SELECT coalesce(sum(size), 0) FROM spool").fetchone()[0]
        excess = size - self._limits.megabytes * 1e6
        while excess > 0:
            oldest = self._db.execute("SELECT id, size FROM spool ORDER BY id LIMIT 1").fetchone()
            self._db.execute("DELETE FROM spool WHERE id = ?", (oldest[0],))
            excess -= oldest[1]
            gone += 1
        return gone


def _sentence(error: sqlite3.Error) -> str:
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
        return "The disk is full: new logs wait in memory. Make room; nothing else is to be done."
    return f"The disk can't be written ({error}): new logs wait in memory."
