"""Runs the engine's rounds on the node that leads the jobs, and keeps what it needs from the database."""

import asyncio
import logging
import time
from datetime import datetime

from sqlalchemy.exc import DBAPIError

from commander.alert_rules.learning import read_usual
from commander.db import Database, insert_for
from commander.incidents.given_up import RigsGivenUp
from commander.incidents.round import Engine
from commander.jobs.leadership import Leadership
from commander.jobs.loop import rest, set_due
from commander.jobs.tables import jobs
from commander.notifications.heartbeat import ROUNDS
from commander.problems import DatabaseProblem

log = logging.getLogger(__name__)
EVERY_S = 5.0
WATCHDOG_EVERY_S = 30.0
USUAL_EVERY_S = 60.0
NOTED_EVERY_S = 60.0


class Rounds:
    """The task of each web node; on all but the leader it only waits."""

    def __init__(self, database: Database, engine: Engine, leadership: Leadership, given_up: RigsGivenUp) -> None:
        self._database = database
        self._given_up = given_up
        self._engine = engine
        self._leadership = leadership
        self._watchdog_due_s = 0.0
        self._usual_due_s = 0.0
        self._noted_due_s = 0.0
        self._has_begun = False
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
            await self._given_up.read(self._engine.evaluation)
        if now_s >= self._usual_due_s:
            self._usual_due_s = now_s + USUAL_EVERY_S
            await self._read_usual(now)
        await self._begin(now)
        await self._engine.round(now, now_s)
        if self._engine.is_well and now_s >= self._noted_due_s:
            self._noted_due_s = now_s + NOTED_EVERY_S
            async with self._database.transaction() as db:
                await set_due(db, ROUNDS, now)

    async def _begin(self, now: datetime) -> None:
        """Notes the first try: from then on the heartbeat waits for rounds in which all rules could be evaluated."""
        if self._has_begun:
            return
        async with self._database.transaction() as db:
            first = insert_for(db, jobs).values(name=ROUNDS, due_at=now)
            await db.execute(first.on_conflict_do_nothing())
        self._has_begun = True

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
