"""The fill of the queue, and since when its oldest log waits: for `/metrics`, and so that no rig is shown offline whose
logs still wait in the queue."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import msgspec
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from commander.scaled.nats_bus import ANSWER_TIMEOUT_S, Bus
from commander.scaled.stream import WORKERS, StreamNames, backlog_of
from commander.web.exposition import Metric, gauge

LOOK_EVERY_S = 2.0
ORDINARY_LAG_S = 6.0  # younger than this is on its way, not waiting


class QueueState(msgspec.Struct, frozen=True):
    """The queue at one time. A log waits until a worker has acknowledged it."""

    waiting: int
    oldest_at: datetime | None
    bytes: int
    max_bytes: int | None

    def oldest_age_s(self, now: datetime) -> float:
        return max(0.0, (now - self.oldest_at).total_seconds()) if self.oldest_at else 0.0


async def queue_state(client: Client, names: StreamNames) -> QueueState:
    """Asks NATS. Raises `NatsError`, `OSError` or `TimeoutError`."""
    jetstream = client.jetstream(timeout=ANSWER_TIMEOUT_S)
    stream = await jetstream.stream_info(names.stream)
    backlog = backlog_of(await jetstream.consumer_info(names.stream, WORKERS))
    oldest_at = await _came_at(jetstream, names, backlog.floor + 1) if backlog.logs else None
    return QueueState(backlog.logs, oldest_at, stream.state.bytes, stream.config.max_bytes)


async def _came_at(jetstream: JetStreamContext, names: StreamNames, sequence: int) -> datetime | None:
    """Returns when the first message at or after that place came; None if it was acknowledged meanwhile."""
    try:
        return (await jetstream.get_msg(names.stream, sequence, subject=names.all_logs, next=True)).time
    except NotFoundError:
        return None


class QueueWatch:
    """Looks at the stream every few seconds while there is a connection."""

    def __init__(self, bus: Bus, names: StreamNames) -> None:
        self._bus = bus
        self._names = names
        self._state: QueueState | None = None
        self._logs_up_to_s = time.monotonic()
        bus.attach(self._attached)

    def lag_s(self) -> float:
        """Returns since how many seconds incoming logs have not been stored and shown here; 0 without a delay."""
        lag_s = time.monotonic() - self._logs_up_to_s
        return lag_s if lag_s > ORDINARY_LAG_S else 0.0

    def metrics(self) -> list[Metric]:
        state = self._state if self._bus.client else None
        age_s = state.oldest_age_s(datetime.now(UTC)) if state else None
        return [
            gauge("minewarden_queue_connected", "Whether NATS answers.", int(self._bus.client is not None)),
            gauge("minewarden_queue_logs", "Logs that wait in the queue.", state.waiting if state else None),
            gauge("minewarden_queue_bytes", "Bytes in the queue.", state.bytes if state else None),
            gauge("minewarden_queue_bytes_limit", "Bytes that it may hold.", state.max_bytes if state else None),
            gauge("minewarden_queue_oldest_age_seconds", "Age of the oldest log that waits.", age_s),
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
                self._note(await queue_state(client, self._names))
            except (NatsError, OSError, TimeoutError):
                self._state = None  # not known now; whether NATS is away is the connection's to say
            await asyncio.sleep(LOOK_EVERY_S)

    def _note(self, state: QueueState) -> None:
        self._state = state
        age_s = state.oldest_age_s(datetime.now(UTC))
        self._logs_up_to_s = time.monotonic() - (age_s if age_s > ORDINARY_LAG_S else 0.0)
