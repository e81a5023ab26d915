"""Runs the engine's rounds on the node that leads the jobs, and keeps what it needs from the database."""

import asyncio
import logging
import time
from datetime import timedelta

from sqlalchemy.exc import DBAPIError

from commander.db import Database
from commander.incidents.round import Engine
from commander.jobs.leadership import Leadership
from commander.jobs.loop import rest
from commander.problems import DatabaseProblem
from commander.watchdog import store as watchdog

log = logging.getLogger(__name__)
EVERY_S = 5.0
WATCHDOG_EVERY_S = 30.0
WATCHDOG_SINCE = timedelta(hours=24)


class Rounds:
    """The task of each web node; on all but the leader it only waits."""

    def __init__(self, database: Database, engine: Engine, leadership: Leadership) -> None:
        self._database = database
        self._engine = engine
        self._leadership = leadership
        self._watchdog_due_s = 0.0

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
        await self._engine.round(now, now_s)
