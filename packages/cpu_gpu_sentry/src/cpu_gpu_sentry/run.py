"""`run`: the agent and its local page, until SIGTERM."""

import logging
import os
import socket
import sqlite3

from sentry_kit.running import run_on_store
from sentry_kit.service import check_reach, listen, only_one, open_access, run_until_stopped, serving
from sentry_kit.settings import prepare_data_dir
from sentry_kit.worker import Worker

from cpu_gpu_sentry.agent import Agent
from cpu_gpu_sentry.enrolment import KEPT, SCHEMA, STORE
from cpu_gpu_sentry.local.page import COMMAND, Page
from cpu_gpu_sentry.settings import PREFIX, Settings


def run(settings: Settings) -> None:
    """Runs the sentry; returns when the service is stopped."""
    os.umask(0o077)  # no other user may read the files of the sentry
    check_reach(settings.ui_host, settings.ui_password, PREFIX)
    data_dir = prepare_data_dir(settings.data_dir)
    with (
        only_one(data_dir, COMMAND),
        listen(settings.ui_host, settings.ui_port, f"{PREFIX}UI_PORT") as page,
    ):

        async def serve(db: sqlite3.Connection, disk: Worker) -> None:
            with page.dup() as listener:
                await _main(settings, db, disk, listener)

        run_on_store(settings.data_dir / STORE, SCHEMA, KEPT, serve)


async def _main(settings: Settings, db: sqlite3.Connection, disk: Worker, listener: socket.socket) -> None:
    agent = Agent(settings, db, disk)
    logging.getLogger().addHandler(agent.operations.recent_log)
    await agent.reload()
    page = Page(agent)
    agent.changed = page.live.publish
    access = open_access(settings.data_dir, COMMAND, settings.ui_host, settings.ui_port, settings.ui_password)
    async with serving(page.app(settings.ui_host, access), listener):
        loops = [
            agent.measure_for_ever,
            agent.read_specs_for_ever,
            agent.follow_store_for_ever,
            agent.uploader.run,
            agent.supervisor.run,
            agent.operations.run,
            agent.connection.run,
            agent.introduction.enrol_for_ever,
        ]
        await run_until_stopped(loops, f"http://{settings.ui_host}:{settings.ui_port}/")
