"""The heartbeat: a request every minute while the commander works, so that a service outside notices its failure."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from commander.db import Database
from commander.jobs.loop import lead, resign, rest
from commander.jobs.tables import jobs
from commander.notifications.failures import DeliveryFailure
from commander.notifications.safe_http import SafeHttp, check
from commander.problems import CommanderError

log = logging.getLogger(__name__)
EVERY_S = 60.0
PULSE = "heartbeat-pulse"
ROUNDS = "evaluate-alert-rules"  # its due time is that of the newest round in which all alert rules were evaluated
JOBS_LATE_AFTER = timedelta(minutes=15)
_FIRST_AFTER_S = 5.0
_LEASE = "heartbeat"


async def pulse(now: datetime) -> None:
    """Does nothing: a job whose due time shows that jobs are done."""


class Heartbeat:
    """Sends the requests, on one web node. `check_queue` raises an error while the queue can't be reached."""

    def __init__(
        self, database: Database, url: str, http: SafeHttp, check_queue: Callable[[], None], *, holder: str
    ) -> None:
        self._database, self._url, self._http = database, url, http
        self._check_queue, self._holder = check_queue, holder

    async def run(self, stop: asyncio.Event) -> None:
        """Sends requests until `stop`."""
        if not self._url:
            return
        await rest(stop, _FIRST_AFTER_S)
        while not stop.is_set():
            try:
                await self.beat(await self._database.now())
            except (CommanderError, DBAPIError) as error:
                log.warning("no heartbeat: %s", error)
            except Exception:
                log.exception("no heartbeat, by an error; it is tried again")
            await rest(stop, EVERY_S)
        with suppress(CommanderError, DBAPIError):
            await resign(self._database, self._holder, name=_LEASE)

    async def beat(self, now: datetime) -> bool:
        """Sends a request if jobs are done and rules evaluated in time, and this node leads; returns whether it did.

        Raises `CommanderError` while the database or the queue can't be reached.
        """
        self._check_queue()
        if not await lead(self._database, self._holder, now=now, name=_LEASE):
            return False
        if not await self._are_jobs_done(now):
            log.warning("no heartbeat: jobs are late, or an alert rule can't be evaluated")
            return False
        try:
            check(await self._http.get(self._url), "The heartbeat's address")
        except DeliveryFailure as failure:
            log.warning("heartbeat: %s", failure)
        return True

    async def _are_jobs_done(self, now: datetime) -> bool:
        query = sa.select(jobs.c.name, jobs.c.due_at).where(jobs.c.name.in_((PULSE, ROUNDS)))
        async with self._database.reading() as db:
            due_at = {row.name: row.due_at for row in await db.execute(query)}
        return PULSE in due_at and all(now - moment < JOBS_LATE_AFTER for moment in due_at.values())
