"""Values of one rig from the ten-minute tier alone: no log is read for them."""

import asyncio
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from commander.db import to_us
from commander.history import store
from commander.history.names import Names, in_an_answer
from commander.history.opening import Packed, opened
from commander.history.points import Points, points_in
from commander.history.tables import TEN_MINUTES
from commander.readings.series import Series
from commander.registry.kinds import RigKind

SECOND_US = 1_000_000
STEP_S = TEN_MINUTES.step_s
Values = list[float | None]


class TenMinutes(NamedTuple):
    """The means of each series, from `start_s` on (seconds since 1970), one each ten minutes; None: unknown.

    Of a counter it is what was added.
    """

    start_s: int
    steps: int
    means: Mapping[Series, Values]


async def read_ten_minutes(
    db: AsyncConnection, kind: RigKind, rig_id: int, *, since: datetime, until: datetime, figures: Collection[str]
) -> TenMinutes:
    """Returns the rig's figures with since <= time < until, up to the newest hour that is rolled up."""
    since_s, until_s = to_us(since) // SECOND_US, to_us(until) // SECOND_US
    points = Points(since_s // STEP_S * STEP_S, STEP_S, points_in(since_s, until_s, STEP_S))
    starts = range(TEN_MINUTES.chunk_of(since_s), until_s, TEN_MINUTES.chunk_s)
    rows = await store.read_chunks(db, kind, TEN_MINUTES, rig_id, list(starts))
    return await asyncio.to_thread(_filled, points, rows, figures)


def _filled(points: Points, rows: Mapping[int, Packed], figures: Collection[str]) -> TenMinutes:
    names = Names(in_an_answer(points.count))
    for start_s in sorted(rows):
        buckets = opened(
            rows[start_s],
            start_s=start_s,
            step_s=STEP_S,
            names=names.named,
            chosen=lambda key: key[0] in figures,
            for_chart=True,
        )
        points.put(buckets, figures)
    return TenMinutes(points.start_s, points.count, {key: line.mean for key, line in points.lines.items()})
