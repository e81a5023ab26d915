"""Reads packed history under today's names: series that were written under several spellings become one.

For each spelling, a bucket has the number of its readings (`count`), and the bucket has the number of logs. If both
spellings together have no more readings than there were logs, they took turns: lowest, mean and highest are exact.
Otherwise they ran side by side and are added up. The mean is then exact. The lowest and highest of a sum can't be
known; the bucket gets the sums of the lowest and of the highest, and the true values lie between them.

Example: two gauges with 6 readings in 6 logs, 14 to 15 GH/s and 30 to 34 GH/s, become 44 to 49 GH/s.
"""

from collections.abc import Mapping
from typing import NamedTuple

from commander.history.buckets import Buckets, Gauge
from commander.history.names import ADDED_UP, Named
from commander.history.packing import Opened, SeriesFilter
from commander.history.tables import MINUTES
from commander.readings.series import Series, one_series

Packed = tuple[int, bytes]  # codec and body


class Row(NamedTuple):
    """A bucket of a gauge. `readings` is their number, `total` their sum."""

    readings: int
    low: int
    total: int
    high: int
    last: int


def opened(
    packed: Packed,
    *,
    start_s: int,
    step_s: int,
    names: Named,
    chosen: SeriesFilter | None = None,
    for_chart: bool = False,
    of_farm: bool = False,
) -> Buckets:
    """Returns the buckets of a rig or the farm, with as many series as there is room for."""
    parcel = Opened(*packed, start_s=start_s, step_s=step_s)
    buckets = parcel.buckets
    piles: dict[Series, Pile] = {}
    room = _room(buckets, of_farm=of_farm)
    for key, series in parcel.series(chosen, for_chart=for_chart):
        if (name := names(one_series(key))) is None:
            continue
        if not isinstance(series, Gauge):
            buckets.counters[name] = series
        elif name not in buckets.gauges:
            buckets.gauges[name] = series
        else:
            if name not in piles:
                piles[name] = Pile(name[0], room)
                piles[name].add(buckets.gauges[name])
            piles[name].add(series)
    buckets.gauges |= {name: pile.gauge() for name, pile in piles.items()}
    return buckets


def _room(buckets: Buckets, *, of_farm: bool) -> Mapping[int, int] | None:
    """Returns the number of readings that each bucket can have.

    None for a farm's minute: its value is a sum, and `count` is the number of its rigs.
    """
    if of_farm and buckets.step_s == MINUTES.step_s:
        return None
    return dict(zip(buckets.where, buckets.minutes if of_farm else buckets.logs, strict=True))


class Pile:
    """Adds up gauges that are one series."""

    def __init__(self, figure: str, room: Mapping[int, int] | None) -> None:
        self._adds_up = figure in ADDED_UP
        self._room = room
        self._exponent = 0
        self._rows: dict[int, Row] = {}

    def add(self, gauge: Gauge) -> None:
        if not self._rows:
            self._exponent = gauge.exponent
        self._refine(gauge.exponent)
        factor = 10 ** (gauge.exponent - self._exponent)
        for bucket, count, low, mean, high, last in zip(
            gauge.where, gauge.count, gauge.low, gauge.mean, gauge.high, gauge.last, strict=True
        ):
            row = Row(count, low * factor, mean * factor * count, high * factor, last * factor)
            before = self._rows.get(bucket)
            self._rows[bucket] = row if before is None else self._together(bucket, before, row)

    def _refine(self, exponent: int) -> None:
        if exponent < self._exponent:
            factor = 10 ** (self._exponent - exponent)
            self._rows = {at: Row(row[0], *(value * factor for value in row[1:])) for at, row in self._rows.items()}
            self._exponent = exponent

    def _together(self, bucket: int, one: Row, other: Row) -> Row:
        if self._room is None:
            return _sum_of_sums(one, other)
        if not self._adds_up:
            return both(one, other, count=one.readings + other.readings)
        count = max(one.readings, other.readings, min(self._room.get(bucket, 0), one.readings + other.readings))
        return both(one, other, count=count)

    def gauge(self) -> Gauge:
        where = sorted(self._rows)
        rows = [self._rows[bucket] for bucket in where]
        count, low, total, high, last = (list(column) for column in zip(*rows, strict=True))
        mean = [(2 * value + of) // (2 * of) for value, of in zip(total, count, strict=True)]
        return Gauge(self._exponent, where, count, low, mean, high, last)


def _sum_of_sums(one: Row, other: Row) -> Row:
    """Adds two rows of a farm's minute, in which `readings` counts rigs."""
    count = one.readings + other.readings
    value = one.last + other.last
    return Row(count, value, value * count, value, value)


def both(one: Row, other: Row, *, count: int) -> Row:
    """Joins two rows to `count` readings: readings that both have are added up, the others belong to one row."""
    shared = one.readings + other.readings - count
    lows = [one.low + other.low] if shared else []
    lows += [one.low] if count > other.readings else []
    lows += [other.low] if count > one.readings else []
    if not shared:
        return Row(count, min(lows), one.total + other.total, max(one.high, other.high), other.last)
    return Row(count, min(lows), one.total + other.total, one.high + other.high, one.last + other.last)
