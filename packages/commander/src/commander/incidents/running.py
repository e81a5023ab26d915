"""Runs the engine's rounds on the node that leads the jobs, and keeps what it needs from the database."""

import asyncio
import logging
import time
from datetime import datetime, timedelta

from sqlalchemy.exc import DBAPIError

from commander.alert_rules.learning import read_usual
from commander.db import Database
from commander.incidents.round import Engine
from commander.jobs.leadership import Leadership
from commander.jobs.loop import rest
from commander.problems import DatabaseProblem
from commander.watchdog import store as watchdog

log = logging.getLogger(__name__)
EVERY_S = 5.0
WATCHDOG_EVERY_S = 30.0
USUAL_EVERY_S = 60.0
WATCHDOG_SINCE = timedelta(hours=24)


class Rounds:
    """The task of each web node; on all but the leader it only waits."""

    def __init__(self, database: Database, engine: Engine, leadership: Leadership) -> None:
        self._database = database
        self._engine = engine
        self._leadership = leadership
        self._watchdog_due_s = 0.0
        self._usual_due_s = 0.0
        self._usual_at: datetime | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop`; an error costs one round."""
        while not stop.is_set():
            begin_s = time.monotonic()
            try:
                await self.turn(begin_s)
            except (DatabaseProblem, DBAPIError) as error:
                log.warning("incidents wait for the database: %s", error)
            except Exception:
                log.exception("a round of the incidents failed; the next one follows")
            await rest(stop, max(0.0, EVERY_S - (time.monotonic() - begin_s)))

    async def turn(self, now_s: float) -> None:
        if not await self._leadership.leads():
            self._engine.forget()
            return
        now = await self._database.now()
        if now_s >= self._watchdog_due_s:
            self._watchdog_due_s = now_s + WATCHDOG_EVERY_S
            async with self._database.reading() as db:
                self._engine.evaluation.gave_up = await watchdog.reasons_to_give_up(db, since=now - WATCHDOG_SINCE)
        if now_s >= self._usual_due_s:
            self._usual_due_s = now_s + USUAL_EVERY_S
            await self._read_usual(now)
        await self._engine.round(now, now_s)

    async def _read_usual(self, now: datetime) -> None:
        """Reads what was learnt since the last time. Rigs that are learnt in one go have one time, and come one by one.

        A last time that is later than now was before the clock was put back: all is read.
        """
        since = self._usual_at if self._usual_at is None or self._usual_at <= now else None
        async with self._database.reading() as db:
            learnt = await read_usual(db, since=since)
        self._engine.evaluation.usual |= learnt
        moments = [each.learnt_at for each in learnt.values() if each.learnt_at is not None]
        self._usual_at = max(moments, default=since)
