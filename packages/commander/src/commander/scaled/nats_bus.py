"""The connection to NATS, which comes and goes. Everything here is loaded only where `COMMANDER_NATS_URL` is set.

A lost connection is replaced by a new one. Each `Attach` is entered for each new connection and left when that one is
lost, so a start and the end of an outage are the same.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from urllib.parse import urlsplit

import nats
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import SlowConsumerError
from protocol.reasons import reason

from commander.intake.group_commit import StorageAway
from commander.strictness import why_refused

log = logging.getLogger(__name__)
CONNECT_TIMEOUT_S = 5.0
ANSWER_TIMEOUT_S = 5.0
AGAIN_AFTER_S = 0.25
LOOK_EVERY_S = 0.5
PING_EVERY_S = 5
BUFFER_BYTES = 8 * 1024 * 1024
LOST = "the connection was lost"

Attach = Callable[[Client], AbstractAsyncContextManager[None]]


class NatsAway(StorageAway):
    """NATS can't be used now; the text has the reason and no password."""


class Bus:
    """The connection of this process. `attach` adds what is done with each new one."""

    def __init__(self, url: str) -> None:
        self.client: Client | None = None
        self.connections = 0
        self._servers = [part.strip() for part in url.split(",")]
        self._attached: list[Attach] = []
        self._on_loss: list[Callable[[], None]] = []
        self._away: str | None = None

    def attach(self, attach: Attach) -> None:
        """Adds a context for each connection, before `running`. They are entered in this order and left in reverse."""
        self._attached.append(attach)

    def on_loss(self, messages_lost: Callable[[], None]) -> None:
        """Calls `messages_lost` each time when messages came too fast to take."""
        self._on_loss.append(messages_lost)

    @property
    def place(self) -> str:
        return ", ".join(urlsplit(server).netloc.rpartition("@")[2] for server in self._servers)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keeps a connection while inside; does not wait for the first one."""
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
                if not stop.is_set():
                    self._say_away(_first(errors))
            await _wait(stop, AGAIN_AFTER_S)

    async def _one_connection(self, stop: asyncio.Event) -> None:
        """Uses one connection until it is lost, or `stop`."""
        closed = asyncio.Event()
        client = await self._connect(closed)
        try:
            async with asyncio.TaskGroup() as group:
                ends = [group.create_task(end) for end in (_lost(client, closed), stop.wait())]
                await self._use(client, ends)
                for end in ends:
                    end.cancel()
            if not client.is_closed:
                await client.flush(timeout=2)
        finally:
            with suppress(NatsError, OSError, TimeoutError):
                async with asyncio.timeout(ANSWER_TIMEOUT_S):
                    await client.close()
        if not stop.is_set():
            raise NatsAway(LOST)

    async def _use(self, client: Client, ends: Sequence["asyncio.Task[object]"]) -> None:
        """Uses a connection until one of `ends` is done."""
        async with AsyncExitStack() as stack:
            async with _cut_short_by(*ends):
                for attach in self._attached:
                    await stack.enter_async_context(attach(client))
            self._say_back(client)
            try:
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            finally:
                self.client = None

    async def _connect(self, closed: asyncio.Event) -> Client:
        async def on_closed() -> None:
            closed.set()

        async def on_error(error: Exception) -> None:
            if isinstance(error, SlowConsumerError):
                log.warning("messages from NATS came faster than they could be taken; everything is read again")
                for messages_lost in self._on_loss:
                    messages_lost()

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
        words = reason(error) if isinstance(error, OSError) else str(error) or type(error).__name__
        why = why_refused(error) or words
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


async def _lost(client: Client, closed: asyncio.Event) -> None:
    """Returns when the connection is closed.

    The library sets `closed`, except when its last write fails: on a connection that has just broken it raises in
    uvloop, and ends before its callback (nats-py 2.16).
    """
    while not client.is_closed:
        await _wait(closed, LOOK_EVERY_S)


@asynccontextmanager
async def _cut_short_by(*ends: "asyncio.Task[object]") -> AsyncIterator[None]:
    """Raises `NatsAway` as soon as one of `ends` is done: an answer that a lost connection owes never comes."""
    try:
        async with asyncio.timeout(None) as limit:

            def cut(_: object) -> None:
                limit.reschedule(0)

            for end in ends:
                end.add_done_callback(cut)
            try:
                yield
            finally:
                for end in ends:
                    end.remove_done_callback(cut)
    except TimeoutError as error:
        if limit.expired():
            raise NatsAway(LOST) from error
        raise
