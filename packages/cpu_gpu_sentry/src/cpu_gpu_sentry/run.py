"""`run`: the agent and its local page, until SIGTERM."""

import asyncio
import logging
import socket
import sqlite3

from sentry_kit import store
from sentry_kit.errors import StorageError
from sentry_kit.service import listen, only_one, run_until_stopped, serving
from sentry_kit.settings import prepare_data_dir
from sentry_kit.worker import Worker

from cpu_gpu_sentry.agent import Agent
from cpu_gpu_sentry.enrolment import SCHEMA, STORE
from cpu_gpu_sentry.local.page import Page
from cpu_gpu_sentry.settings import PREFIX, Settings

log = logging.getLogger(__name__)

_REPAIRS = 3
_DISK_END_S = 3


def run(settings: Settings) -> None:
    """Returns when the service has been told to stop. A damaged store is moved aside, not died of again and
    again."""
    data_dir = prepare_data_dir(settings.data_dir)
    with (
        only_one(data_dir, "cpu-gpu-sentry"),
        listen(settings.ui_host, settings.ui_port, f"{PREFIX}UI_PORT") as page,
    ):
        for _repair in range(_REPAIRS):
            try:
                _serve(settings, page.dup())
            except* (sqlite3.DatabaseError, StorageError) as group:
                _repair_store(settings, group)
            else:
                return
        raise StorageError(f"The disk under {data_dir} damages the sentry's file again and again; replace it.")


def _serve(settings: Settings, page: socket.socket) -> None:
    with page:
        db = store.open_store(settings.data_dir / STORE, SCHEMA)
        disk = Worker("disk")
        try:
            asyncio.run(_main(settings, db, disk, page))
        finally:
            if disk.end(within_s=_DISK_END_S):  # a connection that is in use must not be closed
                db.close()


async def _main(settings: Settings, db: sqlite3.Connection, disk: Worker, listener: socket.socket) -> None:
    agent = Agent(settings, db, disk)
    await agent.reload()
    page = Page(agent, settings.data_dir / STORE)
    agent.changed = page.fragments.publish
    async with serving(page.app(settings.ui_host), listener):
        loops = [
            agent.measure_for_ever,
            agent.read_specs_for_ever,
            agent.follow_store_for_ever,
            agent.delivery.run,
        ]
        await run_until_stopped(loops, f"http://{settings.ui_host}:{settings.ui_port}/")


def _repair_store(settings: Settings, group: BaseExceptionGroup[Exception]) -> None:
    if not all(store.is_damage(each) or store.is_damage(each.__cause__) for each in _leaves(group)):
        raise group
    aside = store.move_aside(settings.data_dir / STORE, SCHEMA, keep=("enrolment", "watch"))
    log.error("store_damaged The sentry's file was damaged; it was moved to %s and a new one was started.", aside)


def _leaves(group: BaseExceptionGroup[Exception]) -> list[BaseException]:
    leaves: list[BaseException] = []
    for each in group.exceptions:
        leaves += _leaves(each) if isinstance(each, BaseExceptionGroup) else [each]
    return leaves
