"""`commander ingest`: a worker that takes the queue's logs into the database. Any number of them may run."""

import asyncio
import logging
import signal
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from functools import partial

from commander.db import open_database
from commander.garbage import leave_out_what_exists
from commander.jobs.garbage import collecting
from commander.metrics import process_metrics
from commander.migrations import migrate, revision_at
from commander.migrations.revisions import HEAD
from commander.problems import DatabaseAway
from commander.raw_logs.codec import Packer
from commander.raw_logs.dictionaries import use_newest
from commander.scaled.metrics_server import metrics_server
from commander.scaled.nats_bus import Bus
from commander.scaled.node import limits_of
from commander.scaled.queue_watch import QueueWatch
from commander.scaled.stream import StreamNames
from commander.scaled.worker import Ingest
from commander.settings import Settings
from commander.web.exposition import Metric

log = logging.getLogger(__name__)
DATABASE_AGAIN_AFTER_S = 1.0


def ingest(settings: Settings) -> None:
    """Until SIGTERM or SIGINT; the batch that is being written is finished first. Raises `DatabaseProblem`."""
    leave_out_what_exists()
    _run(work(settings))


def _run(main: Coroutine[None, None, None]) -> None:
    if sys.platform == "win32":
        asyncio.run(main)
    else:
        import uvloop

        uvloop.run(main)


async def work(settings: Settings) -> None:
    async with stopped_by_signals() as stop, open_database(settings.database_url) as database:
        if not await migrated(database.url, stop):
            return
        bus, names = Bus(settings.nats_url), StreamNames(settings.nats_prefix)
        packer = Packer()
        await use_newest(database, packer)
        worker = Ingest(database, bus, names, limits_of(settings), packer)
        watch = QueueWatch(bus, names)

        def collect() -> list[Metric]:
            return [*worker.counts.metrics(), *watch.metrics(), *process_metrics()]

        async with metrics_server(settings.ingest_metrics, collect), bus.running(), collecting():
            log.info("taking logs from NATS at %s", bus.place)
            await stop.wait()


@asynccontextmanager
async def stopped_by_signals() -> AsyncIterator[asyncio.Event]:
    stop = asyncio.Event()
    with suppress(NotImplementedError):  # Windows has no signals to speak of: Ctrl-C ends it as it ends everything
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    yield stop


async def migrated(url: str, stop: asyncio.Event) -> bool:
    """Waits for the database; returns whether it is up to date. False: `stop` came first.

    An empty database gets its tables here. Those of an earlier version are changed by a web node, after a copy.
    """
    while not stop.is_set():
        try:
            if await revision_at(url) in (None, HEAD):
                await asyncio.to_thread(partial(migrate, url))
                return True
            log.warning("waiting until a web node of this version has changed the tables of the database")
        except DatabaseAway as error:
            log.warning("waiting for the database: %s", error)
        with suppress(TimeoutError):
            async with asyncio.timeout(DATABASE_AGAIN_AFTER_S):
                await stop.wait()
    return False
