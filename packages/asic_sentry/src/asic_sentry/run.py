"""`run`: the agent and its local page, until SIGTERM."""

import asyncio
import socket
import sqlite3
import sys
from collections.abc import Coroutine

from sentry_kit.running import run_on_store
from sentry_kit.service import check_reach, listen, only_one, open_access, run_until_stopped, serving
from sentry_kit.settings import prepare_data_dir
from sentry_kit.worker import Worker

from asic_sentry.agent import Agent
from asic_sentry.asics.store import KEPT, SCHEMA, STORE
from asic_sentry.limits import raise_open_files
from asic_sentry.local.page import COMMAND, Page
from asic_sentry.settings import PREFIX, Settings


def run(settings: Settings) -> None:
    """Runs the sentry. Returns when the service was asked to stop."""
    check_reach(settings.ui_host, settings.ui_password, PREFIX)
    data_dir = prepare_data_dir(settings.data_dir)
    connections = raise_open_files()
    with (
        only_one(data_dir, COMMAND),
        listen(settings.ui_host, settings.ui_port, f"{PREFIX}UI_PORT") as page,
    ):

        async def serve(db: sqlite3.Connection, disk: Worker) -> None:
            with page.dup() as listener:
                await serve_page(settings, Agent(settings, db, disk, connections=connections), listener)

        run_on_store(settings.data_dir / STORE, SCHEMA, KEPT, serve, runner=run_fast)


def run_fast(main: Coroutine[None, None, None]) -> None:
    """Runs on uvloop, which halves the cost of a poll. Windows does not have it."""
    if sys.platform == "win32":
        asyncio.run(main)
    else:
        import uvloop

        uvloop.run(main)


async def serve_page(settings: Settings, agent: Agent, listener: socket.socket) -> None:
    """Runs the agent's loops and its page until the service is asked to stop."""
    await agent.reload()
    page = Page(agent, settings.data_dir / STORE)
    agent.changed = agent.scans.changed = page.changed
    access = open_access(settings.data_dir, COMMAND, settings.ui_host, settings.ui_port, settings.ui_password)
    async with serving(page.app(settings.ui_host, access), listener):
        loops = [
            agent.poller.poll_for_ever,
            agent.write_for_ever,
            agent.follow_store_for_ever,
            agent.uploader.run,
            agent.relocator.run_for_ever,
            agent.scans.run_for_ever,
            page.publish_for_ever,
        ]
        await run_until_stopped(loops, f"http://{settings.ui_host}:{settings.ui_port}/")
