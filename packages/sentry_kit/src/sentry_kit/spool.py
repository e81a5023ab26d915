"""Logs on disk that the commander has not confirmed yet, oldest first.

A log is committed, with `synchronous=FULL`, before it is sent, and deleted only after the commander's answer: kill -9
loses at most the one that was being written. The spool is bounded; the oldest logs are dropped first. While the disk is
full the newest logs wait in memory, and are written as soon as there is room.

A log may have a `source`: one of the many devices of one sentry. If a source is held back its logs stay in the spool,
and those of other sources are sent.

The age of a log is counted from the newest log at the start, and by the monotonic clock from then on: a clock that
jumps a year ahead must not delete the spool.
"""

import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass, replace

from protocol.reasons import reason

from sentry_kit.read_only import SENTENCE, is_in_memory
from sentry_kit.store import is_damage, transaction

_DAY_MS = 86_400_000
_EVICT_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of the spool. `memory_mb` is for logs that wait in memory while the disk can't be written."""

    days: float = 7
    megabytes: float = 256
    memory_mb: float = 4


@dataclass(frozen=True, slots=True, eq=False)
class Spooled:
    """One log; without an id it is not on disk yet."""

    id: int | None
    taken_at_ms: int
    body: bytes
    source: int = 0


class Spool:
    """The waiting logs. Used by one thread at a time. `trouble` is the reason if logs wait in memory."""

    def __init__(
        self, db: sqlite3.Connection, limits: Limits, *, monotonic_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._standing = SENTENCE if is_in_memory(db) else None
        self.trouble: str | None = self._standing
        self._db = db
        self._limits = replace(limits, megabytes=min(limits.megabytes, limits.memory_mb)) if self._standing else limits
        self._unsaved: deque[Spooled] = deque()
        self._unsaved_bytes = 0
        self._dropped = 0  # not yet counted in the store
        self._held: Set[int] = frozenset()
        self._passed_id = 0  # up to here everything is held back, or confirmed
        self._confirmed: dict[int, int] = {}  # sizes by id: the commander has them, and the disk was too full to say so
        self._monotonic_s = monotonic_s
        newest = db.execute("SELECT taken_at_ms FROM spool ORDER BY id DESC LIMIT 1").fetchone()
        self._began = None if newest is None else (int(newest[0]), monotonic_s())
        self.recount()

    def recount(self) -> None:
        """Counts the logs on disk, after another process may have changed the store. A spool may be large, so counts
        are kept."""
        self._rows, self._bytes = (
            int(count) for count in self._db.execute("SELECT count(*), coalesce(sum(size), 0) FROM spool").fetchone()
        )

    def __len__(self) -> int:
        return max(0, self._rows - len(self._confirmed)) + len(self._unsaved)

    def hold_back(self, sources: Set[int]) -> None:
        """Holds back the logs of these sources from now on, and sends those of all others."""
        if self._held - sources:
            self._passed_id = 0
        self._held = sources

    def append(self, taken_at_ms: int, body: bytes) -> None:
        """Keeps the log. It is on disk afterwards, unless `trouble` says otherwise."""
        self.extend([Spooled(None, taken_at_ms, body)])

    def extend(self, logs: Sequence[Spooled]) -> None:
        """Keeps new logs, in one transaction."""
        self._unsaved.extend(logs)
        self._unsaved_bytes += sum(len(log.body) for log in logs)
        self._settle(max((log.taken_at_ms for log in logs), default=None))
        while self._unsaved_bytes > self._limits.memory_mb * 1e6:
            self._unsaved_bytes -= len(self._unsaved.popleft().body)
            self._dropped += 1

    def oldest(self, limit: int, limit_bytes: int) -> list[Spooled]:
        """Returns the next logs to send: at least one if there is any, and then as many as the limits allow."""
        batch: list[Spooled] = []
        size = 0
        for log in self._to_send():
            size += len(log.body)
            if len(batch) == limit or (batch and size > limit_bytes):
                break
            batch.append(log)
        return batch

    def _to_send(self) -> Iterator[Spooled]:
        """Yields the logs to send. Held-back logs that are older than all others are read once, not at each call."""
        rows = self._db.execute(
            "SELECT id, taken_at_ms, body, source FROM spool WHERE id > ? ORDER BY id", (self._passed_id,)
        )
        has_sent = False
        for log in (Spooled(*row) for row in rows):
            if log.source not in self._held and log.id not in self._confirmed:
                has_sent = True
                yield log
            elif not has_sent:
                self._passed_id = log.id or 0
        yield from (log for log in self._unsaved if log.source not in self._held)

    def confirm(self, batch: Sequence[Spooled], stored_at: str | None, rejected: Sequence[str] = ()) -> None:
        """Forgets these logs: the commander has answered for them."""
        for log in batch:
            if log.id is None:
                self._forget_unsaved(log)
            else:
                self._confirmed[log.id] = len(log.body)
        self._settle(None, stored_at, rejected)

    def clear(self) -> None:
        """Drops the logs in memory. The logs on disk are deleted with the enrolment."""
        self._unsaved.clear()
        self._unsaved_bytes = 0
        self._confirmed.clear()
        self.recount()

    def forget(self, sources: Set[int]) -> None:
        """Drops the waiting logs of removed sources."""
        kept = [log for log in self._unsaved if log.source not in sources]
        self._unsaved = deque(kept)
        self._unsaved_bytes = sum(len(log.body) for log in kept)
        with transaction(self._db):
            self._db.executemany("DELETE FROM spool WHERE source = ?", [(source,) for source in sources])
        self.recount()

    def _forget_unsaved(self, log: Spooled) -> None:
        if log in self._unsaved:
            self._unsaved.remove(log)
            self._unsaved_bytes -= len(log.body)

    def _settle(self, taken_at_ms: int | None, stored_at: str | None = None, rejected: Sequence[str] = ()) -> None:
        """Brings the disk up to date, in one transaction. After a failure the next log tries again."""
        counted = self._rows, self._bytes
        try:
            with transaction(self._db):
                self._write(taken_at_ms, stored_at, rejected)
        except sqlite3.Error as error:
            self._rows, self._bytes = counted
            if is_damage(error):
                raise
            self.trouble = _sentence(error)
            return
        self.trouble = self._standing
        self._unsaved.clear()
        self._confirmed.clear()
        self._unsaved_bytes = self._dropped = 0

    def _write(self, taken_at_ms: int | None, stored_at: str | None, rejected: Sequence[str]) -> None:
        db = self._db
        self._delete_confirmed()
        db.executemany(
            "INSERT INTO spool (taken_at_ms, size, body, source) VALUES (?, ?, ?, ?)",
            [(log.taken_at_ms, len(log.body), log.body, log.source) for log in self._unsaved],
        )
        self._rows += len(self._unsaved)
        self._bytes += self._unsaved_bytes
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

    def _delete_confirmed(self) -> None:
        if self._confirmed:
            gone = self._db.executemany("DELETE FROM spool WHERE id = ?", [(each,) for each in self._confirmed])
            self._rows -= gone.rowcount
            self._bytes -= sum(self._confirmed.values())

    def _steady_ms(self, taken_at_ms: int) -> int:
        """Returns a time for ages, which does not jump with the rig's clock."""
        if self._began is None:
            self._began = taken_at_ms, self._monotonic_s()
        began_ms, began_s = self._began
        return began_ms + int((self._monotonic_s() - began_s) * 1000)

    def _evict(self, taken_at_ms: int) -> int:
        """Deletes logs that are too old or too many. Returns their number."""
        too_old = self._steady_ms(taken_at_ms) - int(self._limits.days * _DAY_MS)
        gone = self._db.execute(
            "DELETE FROM spool WHERE id IN (SELECT id FROM spool ORDER BY id LIMIT ?) AND taken_at_ms < ?"
            " RETURNING size",
            (_EVICT_AT_ONCE, too_old),
        ).fetchall()
        self._bytes -= sum(size for (size,) in gone)
        while self._bytes > self._limits.megabytes * 1e6:
            oldest = self._db.execute("SELECT id, size FROM spool ORDER BY id LIMIT 1").fetchone()
            if oldest is None:
                break
            self._db.execute("DELETE FROM spool WHERE id = ?", (oldest[0],))
            self._bytes -= oldest[1]
            gone.append(oldest[1:])
        self._rows -= len(gone)
        return len(gone)


def _sentence(error: sqlite3.Error) -> str:
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
        return "The disk is full: new logs wait in memory. Free some space; the sentry does the rest."
    return f"The disk can't be written ({reason(error)}): new logs wait in memory."
