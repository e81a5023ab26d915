"""One commander at a time on a PostgreSQL database, unless NATS joins several into one farm.

A commander without NATS holds an advisory lock of the database alone; commanders with NATS share it. The lock ends
with its connection, so a commander that was killed keeps no other out. Web nodes hold a second lock, whose number is
made of their signing key: so each sees whether another one that runs now signs with another key.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import msgspec

from commander.database_url import is_postgresql
from commander.problems import DatabaseProblem
from commander.settings import Settings

if TYPE_CHECKING:
    from commander.postgresql import Connection

FARM_LOCK = 0x4D57_0004
SIGNING_LOCK = 0x4D57_0005  # the first half of the lock; the second half is `lock_number` of the key
UNSIGNED_LOCK = 0
LOOK_EVERY_S = 10.0
OTHER_KEYS = (
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 2 AND classid::bigint = $1 "
    "AND objid::bigint <> $2 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
log = logging.getLogger(__name__)


class DatabaseTaken(DatabaseProblem):
    """Another commander runs on this database."""

    def __init__(self, *, is_shared: bool) -> None:
        others = "A commander without NATS" if is_shared else "Another commander"
        super().__init__(
            f"{others} runs on this PostgreSQL database, and each of the two would show only its own part of the farm. "
            "Stop it; or give this one another COMMANDER_DATABASE_URL; or set COMMANDER_NATS_URL on all of them."
        )


class AnotherKey(DatabaseProblem):
    """A web node that runs now signs with another key than this one, or only one of the two signs."""

    def __init__(self) -> None:
        super().__init__(
            "Another web node of this farm has another key that signs playbooks (playbook.key), or only one of the two "
            "has one: rigs would refuse what one of them sends. Set the same COMMANDER_CA_DIR on all web nodes; if it "
            "is not one shared folder, copy the files in it from the first node to this one. Or stop all web nodes "
            "before you start them with another key."
        )


@asynccontextmanager
async def holding_database(
    settings: Settings, on_taken: Callable[[], None], *, signing_key_id: str | None = None, is_web_node: bool = False
) -> AsyncIterator[None]:
    """Holds the locks of a commander with these settings. Raises `DatabaseTaken`, `AnotherKey` or `DatabaseProblem`.

    `on_taken` is called if another commander has taken the database while PostgreSQL was away. `signing_key_id` is None
    if a web node signs nothing.
    """
    if not is_postgresql(settings.database_url):
        yield
        return
    number = lock_number(signing_key_id) if is_web_node else None
    lease = _Lease(settings.database_url, is_shared=bool(settings.nats_url), key_number=number)
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


def lock_number(signing_key_id: str | None) -> int:
    """Returns the half of a lock for a key: a positive number of 31 bits, or `UNSIGNED_LOCK` for no key."""
    return UNSIGNED_LOCK if signing_key_id is None else max(1, int(signing_key_id[:8], 16) & 0x7FFF_FFFF)


class _Lease:
    """The locks, on a connection of their own. `key_number` is None if this is no web node."""

    def __init__(self, url: str, *, is_shared: bool, key_number: int | None) -> None:
        from commander import postgresql  # here: who stays with SQLite does not load the driver

        self._postgresql = postgresql
        self._url = url
        self._is_shared = is_shared
        self._key_number = key_number
        self._connection: Connection | None = None

    async def take(self) -> None:
        try:
            connection = await self._postgresql.connect(self._url)
        except self._postgresql.FAILURES as error:
            raise self._postgresql.explained(error, self._url) from error
        try:
            has_lock = await self._postgresql.lock_now(connection, FARM_LOCK, is_shared=self._is_shared)
            has_key = not has_lock or self._key_number is None or await self._has_key(connection, self._key_number)
        except self._postgresql.FAILURES as error:
            connection.terminate()
            raise self._postgresql.explained(error, self._url) from error
        if not has_lock:
            await connection.close(timeout=5)
            raise DatabaseTaken(is_shared=self._is_shared)
        if not has_key:
            await connection.close(timeout=5)
            raise AnotherKey
        self._connection = connection

    async def _has_key(self, connection: "Connection", number: int) -> bool:
        """Takes the lock of the signing key, and returns whether no other commander has that of another key."""
        await connection.execute("SELECT pg_advisory_lock_shared($1::int, $2::int)", SIGNING_LOCK, number)
        return not await self._postgresql.count_after_kills(connection, OTHER_KEYS, SIGNING_LOCK, number)

    async def keep(self, on_taken: Callable[[], None]) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            try:
                if not await self._is_held():
                    await self.take()
            except (DatabaseTaken, AnotherKey) as error:
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
