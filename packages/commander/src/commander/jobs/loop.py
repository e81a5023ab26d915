"""One loop takes the jobs that are due. Of several commanders on one database only the holder of the lease works."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.db import Database
from commander.jobs.tables import jobs, leases

log = logging.getLogger(__name__)
LOOK_EVERY_S = 15
LEASE = timedelta(minutes=2)
RETRY = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Job:
    """`run` does the work as of a moment. It may be killed at any line and run late or twice."""

    every: timedelta
    run: Callable[[datetime], Awaitable[None]]


async def run_jobs(database: Database, table: Mapping[str, Job], stop: asyncio.Event, *, holder: str) -> None:
    """Until `stop`; not by cancelling, which could leave a transaction open."""
    while not stop.is_set():
        now = datetime.now(UTC)
        try:
            if await lead(database, holder, now=now):
                await run_due(database, table, now=now)
        except Exception:
            log.exception("jobs could not be looked at; they are tried again")
        await rest(stop, LOOK_EVERY_S)


async def rest(stop: asyncio.Event, seconds: float) -> None:
    """Wait `seconds`, or until `stop`."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()


async def lead(database: Database, holder: str, *, now: datetime) -> bool:
    """Take or keep the lease; False while another process holds it. One that is longer than any lease was taken
    before the clock was set back."""
    query = insert(leases).values(name="jobs", holder=holder, until=now + LEASE)
    query = query.on_conflict_do_update(
        index_elements=[leases.c.name],
        set_={"holder": holder, "until": now + LEASE},
        where=sa.or_(leases.c.holder == holder, leases.c.until < now, leases.c.until > now + LEASE),
    )
    async with database.transaction() as db:
        return (await db.execute(query)).rowcount == 1


async def run_due(database: Database, table: Mapping[str, Job], *, now: datetime) -> None:
    """Run what is due, and what has never run; each then waits for its next time.

    What is due later than one wait from now was put off before the clock was set back: it is due too.
    """
    async with database.reading() as db:
        due_at = {row.name: row.due_at for row in await db.execute(sa.select(jobs.c.name, jobs.c.due_at))}
    for name, job in table.items():
        if not now < due_at.get(name, now) <= now + job.every:
            wait = await _run_one(name, job, now=now)
            async with database.transaction() as db:
                await _set_due(db, name, now + wait)


async def _run_one(name: str, job: Job, *, now: datetime) -> timedelta:
    try:
        await job.run(now)
    except Exception:
        log.exception("the job %s failed; it is tried again in %s", name, RETRY)
        return min(RETRY, job.every)
    return job.every


async def _set_due(db: AsyncConnection, name: str, due_at: datetime) -> None:
    query = insert(jobs).values(name=name, due_at=due_at)
    await db.execute(query.on_conflict_do_update(index_elements=[jobs.c.name], set_={"due_at": due_at}))
