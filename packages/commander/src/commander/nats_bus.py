"""The connection to NATS, which comes and goes. Everything here is loaded only where `COMMANDER_NATS_URL` is set.

A connection that is lost is not mended but made anew: what hangs on it (`Attach`) is entered for each new connection
and left when that one is lost, so that there is one way to come up, whether at the start or after an outage.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from urllib.parse import urlsplit

import nats
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import SlowConsumerError

from commander.telemetry.group_commit import StorageAway

log = logging.getLogger(__name__)
CONNECT_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 5.0
AGAIN_AFTER_S = 0.25
PING_EVERY_S = 5
BUFFER_BYTES = 8 * 1024 * 1024

Attach = Callable[[Client], AbstractAsyncContextManager[None]]


class NatsAway(StorageAway):
    """NATS can't be used now; the text says why and holds no password."""


class Bus:
    """`attach` says what is done with each new connection. `on_loss` is told when messages came too fast to take."""

    def __init__(self, url: str, *, on_loss: Callable[[], None] = lambda: None) -> None:
        self.client: Client | None = None
        self.connections = 0
        self._servers = [part.strip() for part in url.split(",")]
        self._attached: list[Attach] = []
        self._on_loss = on_loss
        self._away: str | None = None

    def attach(self, attach: Attach) -> None:
        """Before `running`; entered in this order, left in the opposite one."""
        self._attached.append(attach)

    @property
    def place(self) -> str:
        return ", ".join(urlsplit(server).netloc.rpartition("@")[2] for server in self._servers)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Connected as often as possible while inside; does not wait for the first connection."""
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep(stop))
            try:
                yield
            finally:
                stop.set()

    def check(self) -> None:
        """Raises `NatsAway` while there is no connection, or something on it is not ready yet."""
        if self.client is None:
            raise NatsAway(f"The queue (NATS at {self.place}) can't be used now: {self._away or 'not connected yet'}.")

    async def _keep(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await self._one_connection(stop)
            except* (NatsError, OSError, TimeoutError, NatsAway) as errors:
                self._say_away(_first(errors))
            await _wait(stop, AGAIN_AFTER_S)

    async def _one_connection(self, stop: asyncio.Event) -> None:
        """Until it is lost, or `stop`."""
        lost = asyncio.Event()
        client = await self._connect(lost)
        try:
            async with AsyncExitStack() as stack:
                for attach in self._attached:
                    await stack.enter_async_context(attach(client))
                self._say_back(client)
                await _either(stop, lost)
                self.client = None
            if stop.is_set() and not lost.is_set():
                await client.flush(timeout=2)
        finally:
            self.client = None
            with suppress(NatsError, OSError, TimeoutError):
                async with asyncio.timeout(ANSWER_TIMEOUT_S):
                    await client.close()
        if lost.is_set():
            raise NatsAway("the connection was lost")

    async def _connect(self, lost: asyncio.Event) -> Client:
        async def on_closed() -> None:
            lost.set()

        async def on_error(error: Exception) -> None:
            if isinstance(error, SlowConsumerError):
                log.warning("messages from NATS came faster than they could be taken; everything is read anew")
                self._on_loss()

        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            return await nats.connect(
                self._servers,
                name="minewarden-commander",
                allow_reconnect=False,
                max_reconnect_attempts=1,
                reconnect_time_wait=0,
                connect_timeout=2,
                ping_interval=PING_EVERY_S,
                max_outstanding_pings=2,
                pending_size=BUFFER_BYTES,
                closed_cb=on_closed,
                error_cb=on_error,
            )

    def _say_away(self, error: BaseException) -> None:
        why = str(error) or type(error).__name__
        if self._away != why:  # once for each reason, not four times a second
            log.warning("NATS at %s can't be used: %s; trying again", self.place, why)
            self._away = why

    def _say_back(self, client: Client) -> None:
        self.client = client
        self.connections += 1
        self._away = None
        log.info("connected to NATS at %s", self.place)


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    first: BaseException = errors
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()


async def _either(one: asyncio.Event, other: asyncio.Event) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(event.wait()) for event in (one, other)]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
