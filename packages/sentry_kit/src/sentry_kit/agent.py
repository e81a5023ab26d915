"""The common parts of both sentries' agents: interval, user agent, following and changing the store."""

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import TypeVar

from protocol.messages import SentryWelcome

from sentry_kit.errors import SentryError
from sentry_kit.store import transaction
from sentry_kit.uploader import Uploader

log = logging.getLogger(__name__)

T = TypeVar("T")

DEFAULT_INTERVAL_S = 10.0
_SHORTEST_INTERVAL_S = 1.0


def user_agent(distribution: str) -> str:
    """Returns the name and version that a sentry sends with every request."""
    return f"{distribution}/{version(distribution)}"


def interval_s(setting_s: float | None, welcome: SentryWelcome | None) -> float:
    """Returns the interval between reports: this machine's setting, else the commander's, else 10 s."""
    if setting_s:
        return setting_s
    return max(_SHORTEST_INTERVAL_S, welcome.report_every_s) if welcome else DEFAULT_INTERVAL_S


async def follow_store_for_ever(
    uploader: Uploader, change_counter: Callable[[], int], reload: Callable[[], Awaitable[None]], *, every_s: float
) -> None:
    """Calls `reload` when a command in another process has changed the store, and once at the start.

    `change_counter` runs in the disk's thread.
    """
    last: int | None = None
    while True:
        try:
            current = await uploader.on_disk(change_counter)
            if current != last:
                await reload()
            last = current
        except SentryError as error:
            log.warning("store_unreadable %s", error)
        await asyncio.sleep(every_s)


async def change_store(uploader: Uploader, db: sqlite3.Connection, write: Callable[[sqlite3.Connection], T]) -> T:
    """Changes the store in one transaction, in the disk's thread. The agent's `reload` then applies the change."""

    def written() -> T:
        with transaction(db):
            return write(db)

    return await uploader.on_disk(written)
