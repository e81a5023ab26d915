"""Group commit: everything that arrived while the last transaction ran is the next transaction."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import NamedTuple

from commander.db import Database, is_full
from commander.intake.counts import BatchCounts
from commander.intake.writers import LogWriter, Written, log_writer
from commander.limit_log import LimitLog
from commander.problems import CommanderError, DatabaseProblem, ErrorKind
from commander.raw_logs.codec import Packer
from commander.raw_logs.store import NewLog
from commander.web.exposition import Metric

log = logging.getLogger(__name__)
LOGS_A_TRANSACTION = 2_000
LOGS_WAITING = 20_000
AWAY_FOR_S = 120.0


class Overloaded(CommanderError):
    """More logs are waiting than the database can take soon."""

    kind = ErrorKind(503, "overloaded", "Overloaded", retry_after_s=1)


class StorageAway(CommanderError):
    """The database can't be written now (disk full, locked, broken); nothing was stored."""

    kind = ErrorKind(503, "storage_away", "Storage away", retry_after_s=5)


class Waiting(NamedTuple):
    logs: Sequence[NewLog]
    written: "asyncio.Future[Written]"


class GroupCommit:
    """`write` answers when the logs are durable. `on_stored` is called for each stored log."""

    def __init__(self, database: Database, on_stored: Callable[[NewLog], None]) -> None:
        self._database = database
        self._on_stored = on_stored
        self.packer = Packer()
        self._queue: deque[Waiting] = deque()
        self._waiting_logs = 0
        self._limit_log = LimitLog()
        self._arrived = asyncio.Event()
        self._ending = False
        self._away = False
        self._refused: tuple[float, str] | None = None
        self.counts = BatchCounts()

    async def write(self, logs: Sequence[NewLog]) -> Written:
        """Store the logs; for each: True stored, False was there before, None its rig is gone.

        Raises `Overloaded` or `StorageAway`.
        """
        if self._waiting_logs and self._waiting_logs + len(logs) > LOGS_WAITING:
            self._limit_log.note("waiting", f"reports have to wait: {self._waiting_logs:,} logs are not stored yet")
            raise Overloaded("The commander has more reports waiting than it can store at once; come back.")
        waiting = Waiting(logs, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        self._waiting_logs += len(logs)
        self._arrived.set()
        return await waiting.written

    def check(self) -> None:
        """Raises `StorageAway` while logs can't be stored. It is forgotten if no log has come for two minutes."""
        if self._refused and time.monotonic() - self._refused[0] < AWAY_FOR_S:
            raise StorageAway(self._refused[1])

    def metrics(self) -> list[Metric]:
        return self.counts.metrics()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Takes logs while inside; at the end what waits is still written."""
        async with log_writer(self._database, self.packer) as writer, asyncio.TaskGroup() as group:
            self._ending = False
            group.create_task(self._run(writer))
            try:
                yield
            finally:
                self._ending = True
                self._arrived.set()

    async def _run(self, writer: LogWriter) -> None:
        while not self._ending or self._queue:
            await self._arrived.wait()
            async with self._database.write_turn:
                batch = self._take()
                logs = [log for waiting in batch for log in waiting.logs]
                started_s = time.monotonic()
                try:
                    written = await writer.write(logs)
                except Exception as error:  # noqa: BLE001 - every waiting request gets the error, and the next group may come
                    self.counts.failed += 1
                    self._refuse(batch, error)
                else:
                    self.counts.observe(len(logs), time.monotonic() - started_s)
                    self._answer(batch, written)

    def _take(self) -> list[Waiting]:
        batch: list[Waiting] = []
        size = 0
        while self._queue and (not batch or size + len(self._queue[0].logs) <= LOGS_A_TRANSACTION):
            batch.append(self._queue.popleft())
            size += len(batch[-1].logs)
        self._waiting_logs -= size
        if not self._queue and not self._ending:
            self._arrived.clear()
        return batch

    def _answer(self, batch: list[Waiting], written: Written) -> None:
        self._refused = None
        if self._away:
            self._away = False
            log.warning("logs are stored again")
        start = 0
        for waiting in batch:
            part = written[start : start + len(waiting.logs)]
            start += len(waiting.logs)
            if not waiting.written.done():  # the sentry may have closed its connection
                waiting.written.set_result(part)
            for new, stored in zip(waiting.logs, part, strict=True):
                if stored:
                    self._announce(new)

    def _announce(self, new: NewLog) -> None:
        try:
            self._on_stored(new)
        except Exception:  # it is stored; a failed notification must not stop the intake
            log.exception("a stored log could not be shown")

    def _refuse(self, batch: list[Waiting], error: Exception) -> None:
        if not self._away:  # said once: every sentry will try again and again
            self._away = True
            expected = isinstance(error, DatabaseProblem)
            log.error("nothing can be stored: %s", error, exc_info=None if expected else error)
        away = StorageAway(f"{error} Nothing was stored; come back.")
        # The check of health sees by itself whether a server answers, but not whether it can write.
        if not self._database.is_postgresql or is_full(error):
            self._refused = time.monotonic(), str(away)
        for waiting in batch:
            if not waiting.written.done():
                waiting.written.set_exception(away)
