"""Logs as a test invents them, and what they come to, worked out without any of the commander's own arithmetic."""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import fmean
from typing import NamedTuple, Protocol

import msgspec
import sqlalchemy as sa
from commander.db import Database, metadata, open_database
from commander.history.packing import unpack
from commander.history.resolution import in_units, rounded, scale_of
from commander.history.tables import CHUNKS, Tier
from commander.intake.group_commit import GroupCommit
from commander.raw_logs.store import NewLog
from commander.readings.series import READINGS, Series
from commander.readings.summary import NO_SUMMARY
from commander.registry import store as rigs
from commander.registry.kinds import RigKind
from protocol.figures import COUNTERS
from protocol.messages import AlgorithmReading, CpuGpuLog, GpuReading, MinerReading, MinerState

KIND = RigKind.CPU_GPU
START = datetime(2026, 3, 2, tzinfo=UTC)
START_S = int(START.timestamp())


class Moment(NamedTuple):
    """One log of a test: what differs from log to log."""

    rig_id: int
    at_s: float
    power_w: float | None = 100.0
    hashrate_hs: float | None = 17_000.0
    accepted: int | None = 0
    coin: str | None = "Monero"

    @property
    def at_us(self) -> int:
        return START_S * 1_000_000 + round(self.at_s * 1_000_000)

    def body(self) -> bytes:
        reading = AlgorithmReading(
            algorithm="rx/0", coin=self.coin, hashrate_hs=self.hashrate_hs, accepted=self.accepted
        )
        return msgspec.json.encode(
            CpuGpuLog(
                taken_at=START + timedelta(seconds=self.at_s),
                gpus=[GpuReading(pci_address="0000:03:00.0", power_w=self.power_w, fan_percent=70.0)],
                miners=[MinerReading(software="xmrig", state=MinerState.MINING, algorithms=[reading])],
            )
        )


def steady(rig_id: int, since_s: int, until_s: int, *, every_s: int = 10, power_w: float = 100.0) -> list[Moment]:
    return [
        Moment(rig_id, at_s, power_w + at_s % 60 / 10, 17_000.0 + at_s % 90, at_s // 15)
        for at_s in range(since_s, until_s, every_s)
    ]


async def add_rigs(database: Database, count: int) -> None:
    async with database.transaction() as db:
        for number in range(1, count + 1):
            await rigs.insert_rig(db, KIND, f"rig-{number}", bytes([number]) * 32, now=START)


class Sendable(Protocol):
    """A log that a test sends."""

    @property
    def rig_id(self) -> int: ...

    @property
    def at_us(self) -> int: ...

    def body(self) -> bytes: ...


def new_log(moment: Sendable) -> NewLog:
    return NewLog(KIND, moment.rig_id, moment.at_us, moment.body(), NO_SUMMARY)


@dataclass
class Place:
    """A database, and the intake's own way into it."""

    database: Database
    commit: GroupCommit

    async def send(self, moments: Iterable[Sendable]) -> None:
        await self.commit.write([new_log(moment) for moment in moments])


@asynccontextmanager
async def a_place(url: str, *, rig_count: int) -> AsyncIterator[Place]:
    """Gives a database with the rigs 1 to `rig_count`. All that was in it before is deleted."""
    async with open_database(url) as database:
        await _clear(database)
        await add_rigs(database, rig_count)
        commit = GroupCommit(database, lambda log: None)
        async with commit.running():
            yield Place(database, commit)


async def _clear(database: Database) -> None:
    async with database.transaction() as db:
        if database.is_postgresql:
            names = ", ".join(table.name for table in metadata.sorted_tables)
            await db.exec_driver_sql(f"TRUNCATE {names} RESTART IDENTITY CASCADE")
            return
        for table in reversed(metadata.sorted_tables):
            await db.execute(sa.delete(table))
        await db.exec_driver_sql("DELETE FROM sqlite_sequence")


class Plain(NamedTuple):
    """A bucket of a gauge, computed in the plain way."""

    of: int
    low: float
    mean: float
    high: float
    last: float


class PlainCounter(NamedTuple):
    first: int
    grown: int
    last: int


@dataclass
class PlainBuckets:
    logs: dict[int, int] = field(default_factory=dict)
    minutes: dict[int, int] = field(default_factory=dict)
    gauges: dict[tuple[Series, int], Plain] = field(default_factory=dict)
    counters: dict[tuple[Series, int], PlainCounter] = field(default_factory=dict)


def plainly(moments: Iterable[Moment], step_s: int) -> PlainBuckets:
    """Every bucket (by its beginning, in seconds since 1970) from the logs themselves, each taken once."""
    plain = PlainBuckets()
    values: dict[tuple[Series, int], list[float]] = defaultdict(list)
    minutes: dict[int, set[int]] = defaultdict(set)
    for moment in sorted({moment.at_us: moment for moment in moments}.values(), key=lambda each: each.at_us):
        bucket = moment.at_us // 1_000_000 // step_s * step_s
        plain.logs[bucket] = plain.logs.get(bucket, 0) + 1
        minutes[bucket].add(moment.at_us // 60_000_000)
        for series, value in READINGS[KIND](moment.body()).items():
            values[series, bucket].append(value)
    plain.minutes = {bucket: len(seen) for bucket, seen in minutes.items()}
    for key, readings in values.items():
        if key[0][0] in COUNTERS:
            plain.counters[key] = _plain_counter([int(reading) for reading in readings])
        else:
            plain.gauges[key] = _plain_gauge(key[0][0], readings)
    return plain


def _plain_counter(counts: list[int]) -> PlainCounter:
    grown = 0
    for before, after in pairwise(counts):
        grown += after - before if after >= before else after
    return PlainCounter(counts[0], grown, counts[-1])


def _plain_gauge(figure: str, readings: list[float]) -> Plain:
    exponent = scale_of(figure)
    exact = [rounded(figure, reading) for reading in readings]
    if exponent is None:
        return Plain(len(exact), min(exact), rounded(figure, fmean(exact)), max(exact), exact[-1])
    low, mean, high, last = min(exact), round(fmean(exact)), max(exact), exact[-1]
    return Plain(len(exact), *(in_units(value, exponent) for value in (low, mean, high, last)))


async def kept(database: Database, rig_id: int, tier: Tier) -> PlainBuckets:
    """Returns the rig's buckets in the tier, in the same form."""
    async with database.reading() as db:
        chunks = CHUNKS[KIND][tier]
        rows = await db.execute(
            sa.select(chunks.c.start_s, chunks.c.codec, chunks.c.body).where(chunks.c.rig_id == rig_id)
        )
        found = [unpack(codec, body, start_s=start_s, step_s=tier.step_s) for start_s, codec, body in rows]
    plain = PlainBuckets()
    for buckets in found:
        starts = {bucket: buckets.start_s + bucket * buckets.step_s for bucket in range(tier.chunk_s // tier.step_s)}
        for at, bucket in enumerate(buckets.where):
            plain.logs[starts[bucket]] = buckets.logs[at]
            plain.minutes[starts[bucket]] = buckets.minutes[at]
        for key, gauge in buckets.gauges.items():
            for at, bucket in enumerate(gauge.where):
                columns = (gauge.low, gauge.mean, gauge.high, gauge.last)
                in_its_unit = (in_units(column[at], gauge.exponent) for column in columns)
                plain.gauges[key, starts[bucket]] = Plain(gauge.count[at], *in_its_unit)
        for key, counter in buckets.counters.items():
            for at, bucket in enumerate(counter.where):
                plain.counters[key, starts[bucket]] = PlainCounter(
                    counter.first[at], counter.grown[at], counter.last[at]
                )
    return plain


def farm_plainly(moments: Iterable[Moment]) -> dict[tuple[str, str | None], dict[int, float]]:
    """The farm's minutes, by (figure, coin) and minute: sums of the rigs' rounded means."""
    of_rigs: dict[int, list[Moment]] = defaultdict(list)
    for moment in moments:
        of_rigs[moment.rig_id].append(moment)
    lines: dict[tuple[str, str | None], dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for its in of_rigs.values():
        plain = plainly(its, 60)
        for minute_s in plain.logs:
            lines["rigs_alive", None][minute_s] += 1
        for ((figure, device, _, coin), minute_s), gauge in plain.gauges.items():
            if device is None and figure == "power_w":
                lines["power_rigs", None][minute_s] += 1
            if device is None and figure in ("power_w", "hashrate_hs"):
                lines[figure, coin][minute_s] += gauge.mean
    return {key: dict(line) for key, line in lines.items()}
