"""One commander at a time on a PostgreSQL database, unless NATS joins several into one farm.

A commander without NATS holds an advisory lock of the database alone; commanders with NATS share it. The lock ends
with its connection, so a commander that was killed keeps no other out.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec

from commander.db import is_postgresql
from commander.problems import DatabaseProblem
from commander.settings import Settings

FARM_LOCK = 0x4D57_0004
LOOK_EVERY_S = 10.0
log = logging.getLogger(__name__)


class DatabaseTaken(DatabaseProblem):
    """Another commander runs on this database."""

    def __init__(self, *, is_shared: bool) -> None:
        others = "A commander without NATS" if is_shared else "Another commander"
        super().__init__(
            f"{others} runs on this PostgreSQL database, and each of the two would show only its own part of the farm. "
            "Stop it; or give this one another COMMANDER_DATABASE_URL; or set COMMANDER_NATS_URL on all of them."
        )


@asynccontextmanager
async def holding_database(settings: Settings, on_taken: Callable[[], None]) -> AsyncIterator[None]:
    """Holds the lock of a commander with these settings. Raises `DatabaseTaken` or `DatabaseProblem`.

    `on_taken` is called if another commander has taken the database while PostgreSQL was away.
    """
    if not is_postgresql(settings.database_url):
        yield
        return
    lease = _Lease(settings.database_url, is_shared=bool(settings.nats_url))
    await lease.take()
    async with asyncio.TaskGroup() as group:
        keeping = group.create_task(lease.keep(on_taken))
        try:
            yield
        finally:
            keeping.cancel()
            await lease.close()


async def check_alone(settings: Settings) -> None:
    """Raises `DatabaseTaken` if a commander that can't run beside one with these settings has the database now."""
    async with holding_database(settings, on_taken=lambda: None):
        pass


async def check_unused(settings: Settings) -> None:
    """Raises `DatabaseTaken` if any commander has the database now, with NATS or without."""
    await check_alone(msgspec.structs.replace(settings, nats_url=""))


class _Lease:
    """The lock, on a connection of its own."""

    def __init__(self, url: str, *, is_shared: bool) -> None:
        from commander import postgresql  # here: who stays with SQLite does not load the driver

        self._postgresql = postgresql
        self._url = url
        self._is_shared = is_shared
        self._connection: postgresql.Connection | None = None

    async def take(self) -> None:
        try:
            connection = await self._postgresql.connect(self._url)
        except self._postgresql.FAILURES as error:
            raise self._postgresql.explained(error, self._url) from error
        try:
            has_lock = await self._postgresql.lock_now(connection, FARM_LOCK, is_shared=self._is_shared)
        except self._postgresql.FAILURES as error:
            connection.terminate()
            raise self._postgresql.explained(error, self._url) from error
        if not has_lock:
            await connection.close(timeout=5)
            raise DatabaseTaken(is_shared=self._is_shared)
        self._connection = connection

    async def keep(self, on_taken: Callable[[], None]) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                if not await self._is_held():
                    await self.take()
            except DatabaseTaken as error:
                log.error("%s This commander ends.", error)
                on_taken()
                return
            except DatabaseProblem:
                continue  # PostgreSQL is away; requests say so

    async def _is_held(self) -> bool:
        if self._connection is None or self._connection.is_closed():
            return False
        try:
            await self._connection.fetchval("SELECT 1")
        except self._postgresql.FAILURES:
            self._connection.terminate()
            return False
        return True

    async def close(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
