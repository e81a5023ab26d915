"""The cluster by way of NATS: every web node publishes its news on one subject, and every node reads all of it.

A node gets its own news, too: only a reading after the last piece of news is sure to be the newest state.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from commander.live.cluster import Topic
from commander.scaled.nats_bus import Bus
from commander.scaled.stream import StreamNames

log = logging.getLogger(__name__)
K = TypeVar("K")
_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(tuple[str, msgspec.Raw])


class NatsCluster:
    """A `Cluster`. On the wire, news is `[topic, key]`."""

    def __init__(self, bus: Bus, names: StreamNames) -> None:
        self.bus = bus
        self.names = names
        self._subscribers: dict[str, list[Callable[[msgspec.Raw], None]]] = {}
        self._unsent: dict[bytes, None] = {}
        self._has_unsent = asyncio.Event()
        self._on_gap: list[Callable[[], None]] = []
        bus.attach(self._attached)
        bus.on_loss(self._news_missed)

    def publish(self, topic: Topic[K], key: K) -> None:
        self._send_later(_encode([topic.name, key]))

    def subscribe(self, topic: Topic[K], on_news: Callable[[K], None]) -> None:
        decoder = msgspec.json.Decoder(topic.key)
        self._subscribers.setdefault(topic.name, []).append(lambda raw: on_news(decoder.decode(raw)))

    def on_gap(self, news_missed: Callable[[], None]) -> None:
        self._on_gap.append(news_missed)

    def _news_missed(self) -> None:
        for news_missed in self._on_gap:
            news_missed()

    def _send_later(self, news: bytes) -> None:
        """Appends the news, once."""
        self._unsent.pop(news, None)
        self._unsent[news] = None
        self._has_unsent.set()

    @asynccontextmanager
    async def _attached(self, client: Client) -> AsyncIterator[None]:
        await client.subscribe(self.names.changes, cb=self._receive)
        await client.flush(timeout=2)
        self._news_missed()
        async with asyncio.TaskGroup() as group:
            sending = group.create_task(self._send(client))
            try:
                yield
            finally:
                sending.cancel()

    async def _send(self, client: Client) -> None:
        while True:
            await self._has_unsent.wait()
            self._has_unsent.clear()
            while self._unsent:
                news = next(iter(self._unsent))
                del self._unsent[news]
                try:
                    await client.publish(self.names.changes, news)
                except (NatsError, OSError) as error:  # the next connection sends it
                    log.debug("news could not be sent: %s", error)
                    self._send_later(news)
                    return

    async def _receive(self, message: Msg) -> None:
        """Passes news on to the topic's subscribers. A node of another version may send what is unknown here."""
        try:
            topic, key = _decoder.decode(message.data)
            for take in self._subscribers.get(topic, ()):
                take(key)
        except msgspec.DecodeError as error:
            log.warning("news of a node of another version is ignored: %s", error)
