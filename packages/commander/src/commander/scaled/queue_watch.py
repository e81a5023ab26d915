"""How full the queue is and how old its oldest log: for `/metrics`, and so that no rig is called silent that was only
not heard here yet."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import msgspec
from nats.aio.client import Client
from nats.errors import Error as NatsError

from commander.scaled.nats_bus import ANSWER_TIMEOUT_S, Bus
from commander.scaled.stream import StreamNames
from commander.web.exposition import Metric, gauge

LOOK_EVERY_S = 2.0
ORDINARY_LAG_S = 6.0  # younger than this is on its way, not waiting


class QueueState(msgspec.Struct, frozen=True):
    messages: int
    bytes: int
    first_ts: datetime


class QueueConfig(msgspec.Struct, frozen=True):
    max_bytes: int


class QueueInfo(msgspec.Struct, frozen=True):
    """The part of JetStream's description of a stream that is looked at."""

    state: QueueState
    config: QueueConfig

    def oldest_age_s(self, now: datetime) -> float:
        return max(0.0, (now - self.state.first_ts).total_seconds()) if self.state.messages else 0.0


_decoder = msgspec.json.Decoder(QueueInfo)


class QueueWatch:
    """Looks at the stream every few seconds while there is a connection."""

    def __init__(self, bus: Bus, names: StreamNames) -> None:
        self._bus = bus
        self._subject = f"$JS.API.STREAM.INFO.{names.stream}"
        self._info: QueueInfo | None = None
        self._heard_up_to_s = time.monotonic()
        bus.attach(self._attached)

    def lag_s(self) -> float:
        """For how long what comes in has not been stored and heard here; 0 where all is well."""
        lag_s = time.monotonic() - self._heard_up_to_s
        return lag_s if lag_s > ORDINARY_LAG_S else 0.0

    def metrics(self) -> list[Metric]:
        info = self._info if self._bus.client else None
        age_s = info.oldest_age_s(datetime.now(UTC)) if info else None
        return [
            gauge("minewarden_queue_connected", "Whether NATS answers.", int(self._bus.client is not None)),
            gauge("minewarden_queue_logs", "Logs in the queue.", info.state.messages if info else None),
            gauge("minewarden_queue_bytes", "Bytes in the queue.", info.state.bytes if info else None),
            gauge("minewarden_queue_bytes_limit", "Bytes that it may hold.", info.config.max_bytes if info else None),
            gauge("minewarden_queue_oldest_age_seconds", "Age of the oldest log in the queue.", age_s),
        ]

    @asynccontextmanager
    async def _attached(self, client: Client) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(self._watch(client))
            try:
                yield
            finally:
                watching.cancel()

    async def _watch(self, client: Client) -> None:
        while True:
            try:
                answer = await client.request(self._subject, b"", timeout=ANSWER_TIMEOUT_S)
                self._note(_decoder.decode(answer.data))
            except (NatsError, OSError, msgspec.DecodeError, TimeoutError):
                self._info = None  # not known now; whether NATS is away is the connection's to say
            await asyncio.sleep(LOOK_EVERY_S)

    def _note(self, info: QueueInfo) -> None:
        self._info = info
        age_s = info.oldest_age_s(datetime.now(UTC))
        self._heard_up_to_s = time.monotonic() - (age_s if age_s > ORDINARY_LAG_S else 0.0)
