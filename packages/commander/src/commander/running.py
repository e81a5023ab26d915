"""The commander's own work while it runs: it takes logs, does jobs and keeps pages up to date."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial

from sqlalchemy.exc import DBAPIError

from commander.chores import chores
from commander.database_number import keep_number
from commander.history.jobs import history_jobs
from commander.history.retention import kept_by
from commander.jobs.loop import Job, run_jobs
from commander.live.loop import run_live
from commander.live.rig_state import RigState
from commander.metrics import live_metrics, process_metrics
from commander.problems import DatabaseProblem
from commander.raw_logs.dictionaries import use_newest
from commander.registry.kinds import RigKind
from commander.rig_pages.sparkline_data import keep_trends
from commander.rigs.restore import restore_index, store_newest
from commander.services import Services
from commander.web.exposition import Metric

log = logging.getLogger(__name__)


async def restore(services: Services) -> None:
    """Fills what is kept in memory from the database."""
    await use_newest(services.database, services.commit.packer)
    for kind, live in services.lives.items():
        await restore_index(services.database, kind, live.index, now=datetime.now(UTC), now_s=time.monotonic())
        await services.watches[kind].remember(services.database)
    await services.playbook_sync.remember()
    await services.account_actions.remember_failures()
    if services.signer and services.signer.is_new and any(live.index.rigs for live in services.lives.values()):
        log.warning("Earlier backups of this farm do not have the new key that signs playbooks: make a new backup.")
    for noun in services.nouns:
        await noun.on_start()


async def store(services: Services) -> None:
    """Writes what only memory has. Called at the end; on a full disk the next start finds the same in the logs."""
    try:
        await services.event_flush.flush()
        for kind, live in services.lives.items():
            await store_newest(services.database, kind, live.index.rigs.values())
    except (DBAPIError, DatabaseProblem) as error:
        log.warning("the last state of the rigs could not be stored: %s", error)
    finally:
        await services.database.dispose()


@asynccontextmanager
async def taking_logs(services: Services) -> AsyncIterator[None]:
    """Logs are taken in, into the database or into the queue, as long as this lasts."""
    if services.scaled is None:
        async with services.commit.running():
            yield
        return
    async with asyncio.TaskGroup() as group, services.scaled.bus.running():
        replica = group.create_task(services.scaled.replica.run())
        try:
            yield
        finally:
            replica.cancel()


@asynccontextmanager
async def working(services: Services, on_renewal: Callable[[], None]) -> AsyncIterator[None]:
    """The jobs, the live loop and the certificate's renewal run as long as this lasts."""
    stop = asyncio.Event()
    jobs = _jobs(services, partial(services.certificate.renew, on_renewal))
    async with asyncio.TaskGroup() as group:
        group.create_task(run_jobs(services.database, jobs, stop, holder=services.holder))
        if services.scaled:  # one node leads the jobs, but each has a certificate
            group.create_task(services.certificate.keep(on_renewal, stop))
        group.create_task(keep_trends(services.database, services.lives, stop))
        group.create_task(_live_loop(services, stop))
        if not services.database.is_postgresql:
            group.create_task(keep_number(services.database, stop))
        for noun in services.nouns:
            for task in noun.tasks:
                group.create_task(task(stop))
        try:
            yield
        finally:
            stop.set()


def metrics_of(services: Services) -> list[Metric]:
    queue = services.scaled.metrics() if services.scaled else services.commit.metrics()
    live = live_metrics(services.lives, services.frames)
    return [*services.counts.metrics(), *queue, *live, *process_metrics()]


def _jobs(services: Services, renew_certificate: Callable[[datetime], None]) -> dict[str, Job]:
    indexes = {kind: live.index for kind, live in services.lives.items()}
    jobs = chores(services.database, renew_certificate=renew_certificate)
    jobs |= history_jobs(services.database, kept_by(services.settings), indexes, services.commit.packer)
    for noun in services.nouns:
        jobs |= noun.jobs
    return jobs


async def _live_loop(services: Services, stop: asyncio.Event) -> None:
    async def went_offline(kind: RigKind, states: list[RigState]) -> None:
        services.watches[kind].went_offline(states)
        await store_newest(services.database, kind, states)

    async def valid_owners() -> set[str]:
        return await services.account_actions.socket_owners() | await services.view_links.socket_owners()

    await run_live(
        services.lives.values(),
        services.live_sources,
        stop,
        on_offline=went_offline,
        look=services.event_flush.flush,
        hang_up=partial(services.hang_up.close_ended, valid_owners),
    )
