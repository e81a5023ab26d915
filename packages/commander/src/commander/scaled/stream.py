"""The queue between web nodes and workers: a stream of NATS JetStream. One message is one log."""

import logging
from collections.abc import Sequence
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta
from nats.aio.client import Client
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    ConsumerInfo,
    DeliverPolicy,
    DiscardPolicy,
    RetentionPolicy,
    StorageType,
    StreamConfig,
)
from nats.js.errors import APIError, NotFoundError

from commander.raw_logs.store import NewLog
from commander.readings.summary import RigSummary
from commander.registry.kinds import RigKind
from commander.scaled.nats_bus import ANSWER_TIMEOUT_S, NatsAway

log = logging.getLogger(__name__)
DUPLICATE_WINDOW_S = 120  # a log that is sent again later is a duplicate to the database only
ACK_WAIT_S = 2.0  # then what a dead worker held, or one that NATS lost, is given to another
STUCK_AFTER_S = 30.0  # longer than a worker needs for a batch while the database is slow
HELD_BY_WORKERS = 20_000  # not yet acknowledged by workers, all together
WORKERS = "ingest"


class QueueLimits(NamedTuple):
    """The limits of the queue. When it is full, reports are refused and sentries keep their logs."""

    max_bytes: int
    max_age_s: float
    replicas: int


class StreamNames(NamedTuple):
    """The names of a farm's subjects and stream; several farms may share one NATS."""

    prefix: str

    @property
    def stream(self) -> str:
        return f"{self.prefix}-logs".upper()

    @property
    def stored(self) -> str:
        return f"{self.prefix}.stored"

    @property
    def changes(self) -> str:
        return f"{self.prefix}.changes"

    @property
    def all_logs(self) -> str:
        return f"{self.prefix}.logs.>"

    def logs(self, kind: RigKind) -> str:
        return f"{self.prefix}.logs.{kind}"


class QueuedLog(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A log in the queue; `body` is its JSON as it was sent. Fields are only ever added, at the end."""

    kind: RigKind
    rig_id: Annotated[int, Meta(ge=1, lt=2**31)]
    taken_at_us: Annotated[int, Meta(ge=0, lt=2**60)]
    body: bytes
    summary: RigSummary


class CommittedLog(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A log that a worker has stored, for the web nodes: its bytes in the queue, and when it came there."""

    received_at_us: int
    queued: bytes


_encode = msgspec.msgpack.Encoder().encode
_log_decoder = msgspec.msgpack.Decoder(QueuedLog)
_stored_decoder = msgspec.msgpack.Decoder(list[CommittedLog])


def encode_log(log: NewLog) -> bytes:
    return _encode(QueuedLog(*log))


def decode_log(data: bytes) -> NewLog:
    """Raises `msgspec.DecodeError`."""
    queued = _log_decoder.decode(data)
    return NewLog(queued.kind, queued.rig_id, queued.taken_at_us, queued.body, queued.summary)


def encode_stored(logs: Sequence[CommittedLog]) -> bytes:
    return _encode(logs)


def decode_stored(data: bytes) -> list[CommittedLog]:
    """Raises `msgspec.DecodeError`."""
    return _stored_decoder.decode(data)


def message_id(log: NewLog) -> str:
    return f"{log.kind}.{log.rig_id}.{log.taken_at_us}"


async def settle_stream(client: Client, names: StreamNames, limits: QueueLimits) -> None:
    """Makes the stream, or gives the existing one these limits.

    Raises `NatsAway` if NATS runs without JetStream, or has less room than the limits.
    """
    config = StreamConfig(
        name=names.stream,
        subjects=[names.all_logs],
        retention=RetentionPolicy.WORK_QUEUE,  # what is stored leaves the queue
        storage=StorageType.FILE,
        discard=DiscardPolicy.NEW,  # a full queue refuses; it never forgets what it acknowledged
        max_bytes=limits.max_bytes,
        max_age=limits.max_age_s,
        num_replicas=limits.replicas,
        duplicate_window=DUPLICATE_WINDOW_S,
    )
    manager = client.jetstream(timeout=ANSWER_TIMEOUT_S)
    try:
        try:
            await manager.update_stream(config)
        except NotFoundError:
            await manager.add_stream(config)
    except APIError as error:
        raise NatsAway(f"JetStream refuses the stream {names.stream}: {error.description}") from error


async def settle_consumer(client: Client, names: StreamNames) -> None:
    """Makes the one durable consumer that all workers share. Raises `NatsAway`.

    Web nodes call it, too, before they send: after a power failure NATS can know more of the consumer than of the
    stream, and would deliver no new log until the stream has as many messages again.
    """
    manager = client.jetstream(timeout=ANSWER_TIMEOUT_S)
    try:
        workers = await manager.add_consumer(names.stream, _consumer())
        stream = await manager.stream_info(names.stream)  # after the consumer: what it was given stands in the stream
        if workers.delivered and workers.delivered.stream_seq > stream.state.last_seq:
            log.warning("NATS has lost logs: its stream %s ends before what workers were given", names.stream)
            await renew_consumer(client, names)
    except APIError as error:
        raise NatsAway(f"JetStream refuses the consumer {WORKERS}: {error.description}") from error


async def renew_consumer(client: Client, names: StreamNames) -> None:
    """Lets NATS deliver every message of the stream again. To the database, those that are stored are duplicates."""
    manager = client.jetstream(timeout=ANSWER_TIMEOUT_S)
    await manager.delete_consumer(names.stream, WORKERS)
    await manager.add_consumer(names.stream, _consumer())


def _consumer() -> ConsumerConfig:
    return ConsumerConfig(
        durable_name=WORKERS,
        deliver_policy=DeliverPolicy.ALL,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=ACK_WAIT_S,
        max_deliver=-1,
        max_ack_pending=HELD_BY_WORKERS,
    )


class Backlog(NamedTuple):
    """`logs` are those that no worker has acknowledged; all up to the sequence number `floor` are acknowledged."""

    logs: int
    floor: int


def backlog_of(workers: ConsumerInfo) -> Backlog:
    """Messages below the floor do not wait: NATS 2.9 can bring them back when it is killed, and delivers them to no
    worker."""
    logs = (workers.num_pending or 0) + (workers.num_ack_pending or 0)
    return Backlog(logs, workers.ack_floor.stream_seq if workers.ack_floor else 0)


class Standstill:
    """Finds logs that NATS delivers to no worker, also while newer ones come and are stored.

    NATS 2.9 does not always deliver again what a worker held when NATS was killed.
    """

    def __init__(self) -> None:
        self._floor = -1
        self._since_s = 0.0

    def has_lasted(self, backlog: Backlog, now_s: float) -> bool:
        """Returns whether the oldest log that waits has been the same for `STUCK_AFTER_S`. `now_s` is monotonic."""
        if not backlog.logs or backlog.floor != self._floor:
            self._floor, self._since_s = backlog.floor, now_s
        return now_s - self._since_s >= STUCK_AFTER_S
