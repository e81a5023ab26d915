"""A queue on a real NATS, its intake and its workers, for tests of what lies between web nodes and the database."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import msgspec
import sqlalchemy as sa
from commander.db import Database, to_us
from commander.raw_logs.codec import Packer
from commander.raw_logs.store import NewLog
from commander.raw_logs.tables import LOGS
from commander.readings.cpu_gpu import summary_of
from commander.registry import store as rigs
from commander.registry.kinds import RigKind
from commander.scaled.nats_bus import Bus
from commander.scaled.nats_cluster import NatsCluster
from commander.scaled.stream import QueueLimits, StreamNames
from commander.scaled.stream_sink import StreamIntake
from commander.scaled.worker import Ingest
from nats.aio.client import Client
from protocol.messages import CpuGpuLog

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ROOMY = QueueLimits(max_bytes=20_000_000, max_age_s=3_600, replicas=1)


def a_log(rig_id: int, at_s: int) -> NewLog:
    log = CpuGpuLog(taken_at=NOON + timedelta(seconds=at_s))
    return NewLog(RigKind.CPU_GPU, rig_id, to_us(log.taken_at), msgspec.json.encode(log), summary_of(log))


async def eventually(condition: Callable[[], Awaitable[bool]], *, within_s: float = 60) -> None:
    """Returns as soon as `condition` holds; what other processes do can only be looked at repeatedly."""
    async with asyncio.timeout(within_s):
        while not await condition():  # noqa: ASYNC110 - there is no event of another process
            await asyncio.sleep(0.01)


@dataclass
class Queue:
    """A farm's subjects of its own."""

    url: str
    names: StreamNames
    limits: QueueLimits

    @asynccontextmanager
    async def intake(self) -> AsyncIterator[StreamIntake]:
        bus = Bus(self.url)
        intake = StreamIntake(bus, self.names, self.limits)
        async with bus.running():
            await connected(bus)
            yield intake

    @asynccontextmanager
    async def worker(self, database: Database) -> AsyncIterator[Ingest]:
        bus = Bus(self.url)
        worker = Ingest(database, bus, self.names, self.limits, Packer())
        async with bus.running():
            await connected(bus)
            yield worker

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        """A plain connection, to look at the stream and to put strange things into it."""
        bus = Bus(self.url)
        async with bus.running():
            await connected(bus)
            assert bus.client
            yield bus.client

    async def messages(self) -> int:
        async with self.client() as client:
            return (await client.jetstream().stream_info(self.names.stream)).state.messages


def new_queue(url: str, limits: QueueLimits = ROOMY) -> Queue:
    return Queue(url, StreamNames(f"test-{uuid4().hex[:12]}"), limits)


async def connected(bus: Bus) -> None:
    async def is_up() -> bool:
        return bus.client is not None

    await eventually(is_up)


async def add_rigs(database: Database, count: int = 3) -> None:
    async with database.transaction() as db:
        for number in range(1, count + 1):
            await rigs.insert_rig(db, RigKind.CPU_GPU, f"rig-{number}", bytes([number]) * 32, now=NOON)


async def stored_logs(database: Database) -> list[tuple[int, int]]:
    """(rig id, taken at in seconds after noon)."""
    logs = LOGS[RigKind.CPU_GPU]
    async with database.reading() as db:
        found = await db.execute(sa.select(logs.c.rig_id, logs.c.taken_at_us).order_by(logs.c.rig_id, logs.c[2]))
        return [(rig_id, (taken_at_us - to_us(NOON)) // 1_000_000) for rig_id, taken_at_us in found]


@asynccontextmanager
async def cluster_nodes(url: str, count: int) -> AsyncIterator[list[NatsCluster]]:
    """So many web nodes of one farm, connected."""
    clusters = [NatsCluster(Bus(url), StreamNames("news")) for _ in range(count)]
    async with AsyncExitStack() as stack:
        for each in clusters:
            await stack.enter_async_context(each.bus.running())

        async def are_connected() -> bool:
            return all(each.bus.client for each in clusters)

        await eventually(are_connected)
        yield clusters
