"""History of a rig or the farm over a range: evenly spaced points, from the tier that serves them best."""

import asyncio
from collections.abc import Awaitable, Collection, Iterable, Iterator
from datetime import datetime
from math import ceil
from typing import NamedTuple

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.db import from_us, to_us
from commander.history import events, sampling, store
from commander.history.buckets import Buckets, within
from commander.history.events import HistoryEvent
from commander.history.farm import EXPONENTS, POWER_RIGS, counted_once, with_power_rigs
from commander.history.names import OF_THE_FARM, Names, in_an_answer
from commander.history.opening import Packed, opened
from commander.history.packing import SeriesFilter
from commander.history.points import Line, Points, largest, points_in, step_of
from commander.history.rolling import Horizons
from commander.history.summing import in_buckets, summed
from commander.history.tables import MINUTES, TIERS, Tier
from commander.problems import CommanderError, ErrorKind
from commander.raw_logs import store as logs
from commander.raw_logs.codec import unpack as unpack_log
from commander.raw_logs.store import PackedLog
from commander.raw_logs.tables import HOUR_S
from commander.readings.series import POWER, READINGS, FigureNames, Series
from commander.registry.kinds import RigKind

POINTS_AT_MOST = 2_000
RAW_RANGE_S = 2 * 3_600  # a longer range is not drawn log by log: decoding them would take too long
RAW_STEP_S = 10
LOOK_BACK_S = 60
LOGS_AT_MOST = 40_000
FARM_FIGURES = frozenset(EXPONENTS)
SECOND_US = 1_000_000


class BadRange(CommanderError):
    """Nothing can be drawn of such a range of time."""

    kind = ErrorKind(422, "bad_range", "Not a range", field="to")


class HistorySeries(msgspec.Struct, frozen=True, kw_only=True):
    """One figure at each of the times; null is a gap. `device` null is the whole rig (farm).

    Of a counter (accepted, rejected, stale, invalid) it is what was added in the step. `alive` is the part of the
    step's minutes in which the rig reported.
    """

    figure: str
    device: str | None
    algorithm: str | None
    coin: str | None
    mean: list[float | None]
    min: list[float | None]
    max: list[float | None]


class History(msgspec.Struct, frozen=True, kw_only=True):
    """`times` are the beginnings of the steps; both lists are empty where nothing is known of the range."""

    step_s: int
    times: list[datetime]
    series: list[HistorySeries]
    events: list[HistoryEvent] = []


async def rig_history(
    db: AsyncConnection,
    kind: RigKind,
    rig_id: int,
    *,
    since: datetime,
    until: datetime,
    points: int,
    figures: Collection[str] | None = None,
    may_be_raw: bool = True,
) -> History:
    """The rig's figures with since <= time < until, `points` of each at most; `figures` None: all.

    Steps shorter than a minute are made of raw logs, where those are kept and `may_be_raw`. Raises `BadRange`.
    """
    plan = _plan(since, until, points, await store.read_horizons(db, kind), may_be_raw=may_be_raw)
    parts = await _parts_of_rig(db, kind, rig_id, plan)
    names = Names(in_an_answer(plan.points.count))
    joined = await asyncio.to_thread(_joined, kind, parts, plan.points, figures, names)
    return _answer(joined, await events.read_events(db, kind, rig_id, since=since, until=until))


async def farm_history(
    db: AsyncConnection,
    kind: RigKind,
    *,
    since: datetime,
    until: datetime,
    points: int,
    figures: Collection[str] | None = None,
) -> History:
    """The farm's hashrate per coin, power and rigs alive with since <= time < until. Raises `BadRange`."""
    plan = _plan(since, until, points, await store.read_horizons(db, kind, of=store.FARM), may_be_raw=False)
    parts = await _parts_of_farm(db, kind, plan)
    chosen = FARM_FIGURES if figures is None else FARM_FIGURES.intersection(figures)
    names = Names(OF_THE_FARM)
    return _answer(largest(await asyncio.to_thread(_joined, kind, parts, plan.points, chosen, names)), [])


def check_range(since: datetime, until: datetime) -> None:
    """Raises `BadRange`."""
    if since >= until:
        raise BadRange("The range ends before it begins: `to` must be later than `from`.")


class QueryPlan(NamedTuple):
    """The points to fill, up to `until_s`, from a tier; None: log by log."""

    points: Points
    until_s: int
    tier: Tier | None
    raw_horizon_s: int


def _plan(since: datetime, until: datetime, points: int, kept: Horizons, *, may_be_raw: bool) -> QueryPlan:
    check_range(since, until)
    since_s, until_s = (max(0.0, to_us(moment) / SECOND_US) for moment in (since, until))  # no log is from before 1970
    finest = next((tier.step_s for tier in TIERS if since_s >= kept.of(tier)), TIERS[-1].step_s)
    if may_be_raw and until_s - since_s <= RAW_RANGE_S and since_s >= kept.raw_s:
        finest = RAW_STEP_S
    step_s = step_of(since_s, until_s, points, at_least_s=finest)
    tier = next((tier for tier in reversed(TIERS) if tier.step_s <= step_s), None)
    empty = Points(int(since_s // step_s) * step_s, step_s, points_in(since_s, until_s, step_s))
    return QueryPlan(empty, ceil(until_s), tier, kept.raw_s)


class Raw(NamedTuple):
    """Logs that are not rolled up, to be put into buckets from `start_s` on."""

    start_s: int
    step_s: int
    logs: list[PackedLog]


class Chunk(NamedTuple):
    """A row of a tier; of `but` hours the logs are there and served instead."""

    start_s: int
    step_s: int
    packed: Packed
    but: frozenset[int]
    is_farms: bool = False


class Ready(NamedTuple):
    start_s: int
    buckets: Buckets


Part = Raw | Chunk | Ready


async def _parts_of_rig(db: AsyncConnection, kind: RigKind, rig_id: int, plan: QueryPlan) -> list[Part]:
    """Rows of the tier, and logs for the hours that are not rolled up: the open one, and what has just come late."""
    points, tier = plan.points, plan.tier
    if tier is None:
        start_s = points.start_s - LOOK_BACK_S
        return [Raw(start_s, points.step_s, await _logs(db, kind, rig_id, start_s, plan.until_s))]
    since_s = points.start_s - tier.step_s  # one bucket more: counters grow from there
    due = await store.due_of_rig(db, kind, rig_id, since_s, plan.until_s)
    due = [hour_s for hour_s in due if hour_s >= plan.raw_horizon_s]
    starts = await _starts(store.first_and_last_chunk(db, kind, tier), tier, since_s, plan.until_s)
    rows = await store.read_chunks(db, kind, tier, rig_id, starts)
    parts: list[Part] = [
        Chunk(start_s, tier.step_s, rows[start_s], _inside(due, start_s, tier)) for start_s in sorted(rows)
    ]
    for hour_s in due:
        parts.append(Raw(hour_s, MINUTES.step_s, await _logs(db, kind, rig_id, hour_s, hour_s + HOUR_S)))
    return parts


async def _parts_of_farm(db: AsyncConnection, kind: RigKind, plan: QueryPlan) -> list[Part]:
    """Rows of the tier, and the samples of the minutes whose hour is not rolled up."""
    tier = plan.tier or MINUTES
    starts = await _starts(store.first_and_last_farm_chunk(db, kind, tier), tier, plan.points.start_s, plan.until_s)
    rows = await store.read_farm_chunks(db, kind, tier, starts)
    samples = await store.read_samples(db, kind, plan.points.start_s // HOUR_S * HOUR_S, plan.until_s)
    by_hour: dict[int, dict[int, bytes]] = {}
    for minute_s, body in samples.items():
        by_hour.setdefault(minute_s // HOUR_S * HOUR_S, {})[minute_s] = body
    parts: list[Part] = [
        Chunk(start_s, tier.step_s, rows[start_s], _inside(by_hour, start_s, tier), is_farms=True)
        for start_s in sorted(rows)
    ]
    parts += [Ready(hour_s, sampling.in_minutes(hour_s, bodies)) for hour_s, bodies in sorted(by_hour.items())]
    return parts


def _inside(hours_s: Iterable[int], start_s: int, tier: Tier) -> frozenset[int]:
    """Those of the hours that a chunk could hold."""
    return frozenset(hour_s for hour_s in hours_s if start_s <= hour_s < start_s + tier.chunk_s)


async def _starts(ends: Awaitable[tuple[int, int] | None], tier: Tier, since_s: float, until_s: float) -> list[int]:
    """The chunks that there can be in a range of time, however long it is."""
    if (first_and_last := await ends) is None:
        return []
    first, last = max(first_and_last[0], tier.chunk_of(since_s)), min(first_and_last[1], tier.chunk_of(until_s))
    return list(range(first, last + 1, tier.chunk_s))


async def _logs(db: AsyncConnection, kind: RigKind, rig_id: int, since_s: int, until_s: int) -> list[PackedLog]:
    return await logs.read_packed(
        db, kind, rig_id, from_us=since_s * SECOND_US, before_us=until_s * SECOND_US, limit=LOGS_AT_MOST
    )


def _joined(kind: RigKind, parts: list[Part], points: Points, figures: FigureNames, names: Names) -> Points:
    """Puts all pieces into `points`, in the order of time.

    If there is no room for all names, the newest pieces get theirs.
    """
    ready = [piece for part in reversed(parts) for piece in _ready(kind, part, figures, names)]
    for piece in sorted(ready, key=lambda piece: piece.start_s):
        points.put(piece.buckets, figures)
    return points


def _ready(kind: RigKind, part: Part, figures: FigureNames, names: Names) -> Iterator[Ready]:
    if isinstance(part, Ready):
        yield part
    elif isinstance(part, Raw):
        readings_of = READINGS[kind]
        taken_apart = ((at_us, readings_of(unpack_log(codec, body), figures)) for at_us, codec, body in part.logs)
        sums = summed(taken_apart, start_s=part.start_s, step_s=part.step_s, names=names.named)
        yield Ready(part.start_s, in_buckets(sums))
    else:
        chosen = _filter_of(figures)
        chunk = opened(
            part.packed,
            start_s=part.start_s,
            step_s=part.step_s,
            names=names.named,
            chosen=chosen,
            for_chart=True,
            of_farm=part.is_farms,
        )
        if part.is_farms and part.step_s == MINUTES.step_s:
            chunk = counted_once(with_power_rigs(chunk))
        since_s, end_s = part.start_s, 1 << 62
        for hour_s in sorted(part.but):
            if part.start_s <= hour_s and (before := within(chunk, since_s, hour_s)).where:
                yield Ready(since_s, before)
            since_s = max(since_s, hour_s + HOUR_S)
        yield Ready(since_s, within(chunk, since_s, end_s) if part.but else chunk)


def _filter_of(figures: FigureNames) -> SeriesFilter | None:
    if figures is None:
        return None
    packed = {POWER if figure == POWER_RIGS else figure for figure in figures}.union(figures)
    return lambda key: key[0] in packed


def _answer(points: Points, happened: list[HistoryEvent]) -> History:
    with_values = {key: line for key, line in points.lines.items() if any(value is not None for value in line.mean)}
    starts = range(points.start_s, points.start_s + points.count * points.step_s, points.step_s) if with_values else ()
    return History(
        step_s=points.step_s,
        times=[from_us(start_s * SECOND_US) for start_s in starts],
        series=[_series(key, line) for key, line in sorted(with_values.items(), key=_in_order)],
        events=happened,
    )


def _in_order(item: tuple[Series, Line]) -> tuple[str, ...]:
    return tuple(part or "" for part in item[0])


def _series(key: Series, line: Line) -> HistorySeries:
    figure, device, algorithm, coin = key
    return HistorySeries(
        figure=figure, device=device, algorithm=algorithm, coin=coin, mean=line.mean, min=line.low, max=line.high
    )
