"""Logs that wait in the queue, on a real NATS."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from commander.registry.kinds import RigKind
from commander.scaled import queue_watch
from commander.scaled.nats_bus import Bus
from commander.scaled.queue_watch import QueueWatch
from commander.scaled.stream import WORKERS, encode_log, settle_consumer
from nats.aio.client import Client
from nats.js.api import RetentionPolicy, StreamConfig
from nats_server import NatsServer
from queue_farm import Queue, a_log, eventually, new_queue

pytestmark = pytest.mark.servers


@pytest.fixture
def queue(nats_server: NatsServer, monkeypatch: pytest.MonkeyPatch) -> Queue:
    monkeypatch.setattr(queue_watch, "LOOK_EVERY_S", 0.02)
    monkeypatch.setattr(queue_watch, "ORDINARY_LAG_S", 0.5)
    return new_queue(nats_server.url)


async def test_logs_wait_also_before_the_first_worker_runs(queue: Queue) -> None:
    async with queue.intake() as intake:
        await intake.write([a_log(1, 0), a_log(1, 1)])
    async with watching(queue) as watch:
        await has_figures(watch, logs=2)
        await lags(watch)


async def test_messages_below_the_ack_floor_do_not_wait(queue: Queue) -> None:
    """NATS 2.9 brings such messages back when it is killed; a stream that keeps all messages has them always."""
    async with queue.client() as client, watching(queue) as watch:
        await make_stream_that_keeps_all(client, queue)
        await publish(client, queue, seconds=range(3))
        await has_figures(watch, logs=3)
        await lags(watch)
        await acknowledge(client, queue, count=3)
        await has_figures(watch, logs=0, oldest_age_seconds=0)
        await lags_not(watch)
        assert figures(watch)["bytes"] > 0
    assert await queue.messages() == 3


async def test_the_oldest_log_is_the_oldest_that_no_worker_acknowledged(queue: Queue) -> None:
    async with queue.client() as client, watching(queue) as watch:
        await make_stream_that_keeps_all(client, queue)
        await publish(client, queue, seconds=range(3))
        await has_figures(watch, logs=3)
        await lags(watch)
        await acknowledge(client, queue, count=2)
        await has_figures(watch, logs=1)
        assert figures(watch)["oldest_age_seconds"] > 0.5

        before = datetime.now(UTC)
        await publish(client, queue, seconds=range(3, 5))
        await acknowledge(client, queue, count=1)
        await has_figures(watch, logs=2)
        assert 0 < figures(watch)["oldest_age_seconds"] <= (datetime.now(UTC) - before).total_seconds()


@asynccontextmanager
async def watching(queue: Queue) -> AsyncIterator[QueueWatch]:
    bus = Bus(queue.url)
    watch = QueueWatch(bus, queue.names)
    async with bus.running():
        yield watch


async def make_stream_that_keeps_all(client: Client, queue: Queue) -> None:
    config = StreamConfig(queue.names.stream, subjects=[queue.names.all_logs], retention=RetentionPolicy.LIMITS)
    await client.jetstream().add_stream(config)
    await settle_consumer(client, queue.names)


async def publish(client: Client, queue: Queue, *, seconds: range) -> None:
    for second in seconds:
        await client.jetstream().publish(queue.names.logs(RigKind.CPU_GPU), encode_log(a_log(1, second)))


async def acknowledge(client: Client, queue: Queue, *, count: int) -> None:
    workers = await client.jetstream().pull_subscribe_bind(WORKERS, queue.names.stream)
    for message in await workers.fetch(count):
        await message.ack_sync()


def figures(watch: QueueWatch) -> dict[str, float]:
    """Without those that are unknown."""
    return {
        each.name.removeprefix("minewarden_queue_"): each.samples[0].value for each in watch.metrics() if each.samples
    }


async def has_figures(watch: QueueWatch, **wanted: float) -> None:
    async def are_shown() -> bool:
        return figures(watch).items() >= wanted.items()

    await eventually(are_shown)


async def lags(watch: QueueWatch) -> None:
    async def is_behind() -> bool:
        return watch.lag_s() > 0

    await eventually(is_behind)


async def lags_not(watch: QueueWatch) -> None:
    async def is_up_to_date() -> bool:
        return watch.lag_s() == 0

    await eventually(is_up_to_date)
