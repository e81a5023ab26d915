"""What a rig or the farm did in a range of time: evenly spaced points, from the tier that serves them best."""

import asyncio
from collections.abc import Collection
from datetime import datetime

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.db import from_us, to_us
from commander.history.buckets import Buckets, in_buckets, reported
from commander.history.points import Line, Points, points_in, step_of
from commander.history.readings import READINGS, Series
from commander.rigs.kinds import RigKind
from commander.telemetry import store as logs

POINTS_AT_MOST = 2_000
RAW_RANGE_S = 2 * 3_600  # a longer range is not drawn log by log: decoding them would take too long
LOGS_AT_MOST = 20_000
SECOND_US = 1_000_000


class BadRange(Exception):
    """Nothing can be drawn of such a range of time."""


class HistorySeries(msgspec.Struct, frozen=True, kw_only=True):
    """One figure at each of the times; null is a gap. `device` null is the whole rig (farm).

    Of a counter (accepted, rejected, stale, invalid) it is what was added in the step. `alive` is the part of the
    step's minutes in which the rig was heard.
    """

    figure: str
    device: str | None
    algorithm: str | None
    coin: str | None
    mean: list[float | None]
    min: list[float | None]
    max: list[float | None]


class HistoryEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened to the rig; `text` is for people."""

    at: datetime
    kind: str
    text: str


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
) -> History:
    """The rig's figures with since <= time < until, `points` of each at most; `figures` None: all.

    Raises `BadRange`.
    """
    empty = _empty_points(since, until, points)
    stored = await logs.read_logs(
        db,
        kind,
        rig_id,
        from_us=empty.start_s * SECOND_US,
        before_us=to_us(until),
        limit=LOGS_AT_MOST,
    )
    return await asyncio.to_thread(_from_logs, kind, stored, empty, figures)


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
    return _answer(_empty_points(since, until, points))


def check_range(since: datetime, until: datetime) -> None:
    """Raises `BadRange`."""
    if since >= until:
        raise BadRange("The range ends before it begins: `to` must be later than `from`.")


def _empty_points(since: datetime, until: datetime, points: int) -> Points:
    check_range(since, until)
    since_s, until_s = (max(0.0, to_us(moment) / SECOND_US) for moment in (since, until))  # no log is from before 1970
    at_least_s = 10 if until_s - since_s <= RAW_RANGE_S else 60
    step_s = step_of(since_s, until_s, points, at_least_s=at_least_s)
    return Points(int(since_s // step_s) * step_s, step_s, points_in(since_s, until_s, step_s))


def _from_logs(kind: RigKind, stored: list[logs.StoredLog], points: Points, figures: Collection[str] | None) -> History:
    points.put(_buckets_of(kind, stored, points.start_s, points.step_s), figures)
    return _answer(points)


def _buckets_of(kind: RigKind, stored: list[logs.StoredLog], start_s: int, step_s: int) -> Buckets:
    readings_of = READINGS[kind]
    taken_apart = ((to_us(log.taken_at), readings_of(log.body)) for log in reversed(stored))
    return in_buckets(reported(taken_apart, start_s=start_s), step_s=step_s)


def _answer(points: Points) -> History:
    known = {key: line for key, line in points.lines.items() if any(value is not None for value in line.mean)}
    starts = range(points.start_s, points.start_s + points.count * points.step_s, points.step_s) if known else ()
    return History(
        step_s=points.step_s,
        times=[from_us(start_s * SECOND_US) for start_s in starts],
        series=[_series(key, line) for key, line in sorted(known.items(), key=_in_order)],
    )


def _in_order(item: tuple[Series, Line]) -> tuple[str, ...]:
    return tuple(part or "" for part in item[0])


def _series(key: Series, line: Line) -> HistorySeries:
    figure, device, algorithm, coin = key
    return HistorySeries(
        figure=figure, device=device, algorithm=algorithm, coin=coin, mean=line.mean, min=line.low, max=line.high
    )
