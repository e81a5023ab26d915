"""Uptime of a rig: the share of time in which it was online and mined, and a strip of its last 24 hours.

It is made from buckets of ten minutes. In a bucket whose lowest hashrate is 0, the rig mined for mean/highest of the
time: exact for a rig that mines steadily or not at all.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from commander.history.query import History, HistorySeries, rig_history
from commander.history.tables import TEN_MINUTES
from commander.readings.series import ALIVE, HASHRATE
from commander.registry.kinds import RigKind

STEP = timedelta(seconds=TEN_MINUTES.step_s)
DAY, WEEK, MONTH = timedelta(hours=24), timedelta(days=7), timedelta(days=30)
DAY_CELLS = DAY // STEP
NEARLY_ALL, HARDLY_ANY = 0.9, 0.1


class Activity(StrEnum):
    """The state of a rig over ten minutes. `unknown`: before its first report."""

    MINING = "mining"
    PARTLY = "partly"
    IDLE = "idle"
    OFFLINE = "offline"
    UNKNOWN = "unknown"


class Bucket(NamedTuple):
    """The parts of a bucket's time, from 0 to 1, in which the rig was online, and in which it also mined.

    `seconds` is its length: the newest one has only begun.
    """

    start: datetime
    seconds: float
    online: float
    mining: float

    @property
    def activity(self) -> Activity:
        if self.mining >= NEARLY_ALL:
            return Activity.MINING
        if self.online <= HARDLY_ANY:
            return Activity.OFFLINE
        return Activity.IDLE if self.mining <= HARDLY_ANY else Activity.PARTLY


class Uptime(NamedTuple):
    """Shares from 0 to 1; None: nothing is known. `cells` are the last 24 hours, oldest first."""

    day: float | None
    week: float | None
    month: float | None
    cells: list[Activity]


async def read_uptime(
    db: AsyncConnection, kind: RigKind, rig_id: int, *, added_at: datetime | None, now: datetime
) -> Uptime:
    """Returns the uptime of a rig up to `now`. The time before its first report does not count."""
    since = _step_of(now - MONTH)
    history = await rig_history(
        db, kind, rig_id, since=since, until=now, points=MONTH // STEP + 1, figures={ALIVE, HASHRATE}, may_be_raw=False
    )
    return uptime_of(buckets_of(history, now=now), added_at=added_at, now=now)


def buckets_of(history: History, *, now: datetime) -> list[Bucket]:
    """Returns the buckets of all times in the history."""
    alive = next((each.mean for each in history.series if each.figure == ALIVE), None)
    works = [each for each in history.series if each.figure == HASHRATE and each.device is None]
    buckets = []
    for at, start in enumerate(history.times):
        seconds = min(float(history.step_s), (now - start).total_seconds())
        online = min(1.0, ((alive[at] if alive else None) or 0.0) * history.step_s / max(1.0, seconds))
        share = max((mined_share(work, at) for work in works), default=0.0)
        buckets.append(Bucket(start, seconds, online, online * share))
    return buckets


def mined_share(work: HistorySeries, at: int) -> float:
    """Returns the part of a bucket's reports in which the rig mined."""
    low, mean, high = work.min[at], work.mean[at], work.max[at]
    if low is None or mean is None or not high:
        return 0.0
    return 1.0 if low else mean / high


def uptime_of(buckets: Sequence[Bucket], *, added_at: datetime | None, now: datetime) -> Uptime:
    first = next((bucket.start for bucket in buckets if bucket.online), None)
    if _begin(_step_of(now - MONTH), added_at, first) == first:
        buckets = [_from_first_report(bucket) if bucket.start == first else bucket for bucket in buckets]

    def share(span: timedelta) -> float | None:
        begin = _begin(_step_of(now - span), added_at, first)
        counted = [bucket for bucket in buckets if bucket.start >= begin]
        seconds = sum(bucket.seconds for bucket in counted)
        if first is None or not seconds:
            return None
        return sum(bucket.mining * bucket.seconds for bucket in counted) / seconds

    since = _step_of(now - DAY) + STEP
    begin, by_start = _begin(since, added_at, first), {bucket.start: bucket.activity for bucket in buckets}
    starts = [since + STEP * number for number in range(DAY_CELLS)]
    cells = [
        Activity.UNKNOWN if first is None or start < begin else by_start.get(start, Activity.OFFLINE)
        for start in starts
    ]
    return Uptime(share(DAY), share(WEEK), share(MONTH), cells)


def _begin(since: datetime, added_at: datetime | None, first: datetime | None) -> datetime:
    """Returns since when time counts: of a rig that was added later, from its first report on."""
    was_there = added_at is not None and added_at <= since
    return since if was_there or first is None else max(since, first)


def _from_first_report(bucket: Bucket) -> Bucket:
    """Returns the bucket without the time before the rig's first report, which came in it."""
    return Bucket(bucket.start, bucket.seconds * bucket.online, 1.0, bucket.mining / bucket.online)


def _step_of(moment: datetime) -> datetime:
    """Returns the beginning of the ten minutes that have this moment."""
    return datetime.fromtimestamp(moment.timestamp() // TEN_MINUTES.step_s * TEN_MINUTES.step_s, moment.tzinfo)
