"""One loop takes the jobs that are due. Of several commanders on one database only the holder of the lease works.

Their clocks may differ: a lease and a due time are of the database's clock.
"""

import asyncio
import logging
import os
import secrets
import socket
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.db import Database, insert_for
from commander.jobs.tables import jobs, leases
from commander.problems import DatabaseProblem

log = logging.getLogger(__name__)
LOOK_EVERY_S = 15
LEASE = timedelta(minutes=1)
RETRY = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Job:
    """`run` does the work as of a moment. It may be killed at any line and run late or twice."""

    every: timedelta
    run: Callable[[datetime], Awaitable[None]]


def new_holder() -> str:
    """A name for this process that no other has, wherever it runs."""
    return f"{socket.gethostname()[:40]}:{os.getpid()}:{secrets.token_hex(3)}"


async def run_jobs(database: Database, table: Mapping[str, Job], stop: asyncio.Event, *, holder: str) -> None:
    """Until `stop`; not by cancelling, which could leave a transaction open."""
    while not stop.is_set():
        try:
            if await lead(database, holder, now=await database.now()):
                await _work(database, table, holder=holder)
        except* (DatabaseProblem, DBAPIError) as errors:  # the group of `_work` hands on a group
            log.warning("jobs wait for the database: %s", _first(errors))
        except* Exception:
            log.exception("jobs could not be looked at; they are tried again")
        await rest(stop, LOOK_EVERY_S)
    with suppress(DatabaseProblem, DBAPIError):
        await resign(database, holder)


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    first: BaseException = errors
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first


async def _work(database: Database, table: Mapping[str, Job], *, holder: str) -> None:
    """Does the due jobs, and renews the lease meanwhile."""
    done = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(_keep_lease(database, done, holder=holder))
        try:
            await run_due(database, table, now=await database.now())
        finally:
            done.set()


async def _keep_lease(database: Database, done: asyncio.Event, *, holder: str) -> None:
    await rest(done, LEASE.total_seconds() / 3)
    while not done.is_set():
        try:
            if not await lead(database, holder, now=await database.now()):
                log.warning("another commander has taken over the jobs while one of them ran here")
        except (DatabaseProblem, DBAPIError) as error:
            log.warning("the lease of the jobs could not be kept: %s", error)
        await rest(done, LEASE.total_seconds() / 3)


async def rest(stop: asyncio.Event, seconds: float) -> None:
    """Wait `seconds`, or until `stop`."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()


async def lead(database: Database, holder: str, *, now: datetime, name: str = "jobs") -> bool:
    """Take or keep the lease of that name; False while another process holds it.

    One that is much longer than any lease was taken before the clock was set back. (A little longer it may look: the
    other may have renewed it since `now` was read.)
    """
    async with database.transaction() as db:
        query = insert_for(db, leases).values(name=name, holder=holder, until=now + LEASE)
        query = query.on_conflict_do_update(
            index_elements=[leases.c.name],
            set_={"holder": holder, "until": now + LEASE},
            where=sa.or_(leases.c.holder == holder, leases.c.until < now, leases.c.until > now + 2 * LEASE),
        )
        return (await db.execute(query)).rowcount == 1


async def leads(database: Database, holder: str) -> bool:
    """Returns whether this process holds the lease, by the database."""
    async with database.reading() as db:
        return (await db.execute(sa.select(leases.c.holder).where(leases.c.name == "jobs"))).scalar() == holder


async def resign(database: Database, holder: str, *, name: str = "jobs") -> None:
    """Gives the lease back, so that the next leader need not wait for its end."""
    async with database.transaction() as db:
        await db.execute(sa.delete(leases).where(leases.c.name == name, leases.c.holder == holder))


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
                await set_due(db, name, now + wait)


async def _run_one(name: str, job: Job, *, now: datetime) -> timedelta:
    try:
        await job.run(now)
    except DatabaseProblem as error:
        log.warning("the job %s is tried again in %s: %s", name, RETRY, error)
        return min(RETRY, job.every)
    except Exception:
        log.exception("the job %s failed; it is tried again in %s", name, RETRY)
        return min(RETRY, job.every)
    return job.every


async def set_due(db: AsyncConnection, name: str, due_at: datetime) -> None:
    """Sets when a job is due next."""
    query = insert_for(db, jobs).values(name=name, due_at=due_at)
    await db.execute(query.on_conflict_do_update(index_elements=[jobs.c.name], set_={"due_at": due_at}))
