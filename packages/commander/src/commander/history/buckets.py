"""Figures per bucket of time: what logs come to, in whole numbers of each figure's resolution.

A gauge (a temperature, a hashrate) has the lowest, mean, highest and last reading of a bucket; a counter has the first
and last count and what it grew by between them, so that its growth across buckets is a difference of neighbours.
"""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field

from commander.readings.series import Series


@dataclass(slots=True)
class Gauge:
    """One series. `where` are the buckets that have readings; the other lists run beside it, in 10 ** exponent."""

    exponent: int
    where: list[int]
    count: list[int]
    low: list[int]
    mean: list[int]
    high: list[int]
    last: list[int]


@dataclass(slots=True)
class Counter:
    """`grown` is the growth from the bucket's first count to its last, also where it started from zero in between."""

    where: list[int]
    first: list[int]
    grown: list[int]
    last: list[int]


@dataclass(slots=True)
class Buckets:
    """A stretch of time from `start_s` (seconds since 1970) in steps; `where` are the buckets with any log.

    `minutes` counts those minutes of a bucket in which there was a log.
    """

    start_s: int
    step_s: int
    where: list[int] = field(default_factory=list)
    logs: list[int] = field(default_factory=list)
    minutes: list[int] = field(default_factory=list)
    gauges: dict[Series, Gauge] = field(default_factory=dict)
    counters: dict[Series, Counter] = field(default_factory=dict)


def grown(before: int, after: int) -> int:
    """Returns a counter's growth between two readings; a counter that fell has started from zero again."""
    return after - before if after >= before else after


def without(buckets: Buckets, since_s: int, until_s: int) -> Buckets:
    """All but the buckets that begin in a range of time."""
    start, end = _range(buckets, since_s, until_s)
    return _chosen(buckets, lambda where: _outside(bisect_left(where, start), bisect_left(where, end)))


def within(buckets: Buckets, since_s: int, until_s: int) -> Buckets:
    """The buckets that begin in a range of time, counted from its beginning."""
    start, end = _range(buckets, since_s, until_s)
    kept = _chosen(buckets, lambda where: _inside(bisect_left(where, start), bisect_left(where, end)))
    kept.start_s = since_s
    kept.where = [bucket - start for bucket in kept.where]
    for gauge in kept.gauges.values():
        gauge.where = [bucket - start for bucket in gauge.where]
    for counter in kept.counters.values():
        counter.where = [bucket - start for bucket in counter.where]
    return kept


Choose = Callable[[list[int]], list[int]]


def _range(buckets: Buckets, since_s: int, until_s: int) -> tuple[int, int]:
    start, end = (-(-(moment - buckets.start_s) // buckets.step_s) for moment in (since_s, until_s))
    return start, end


def _outside(start: int, end: int) -> Choose:
    return lambda column: column[:start] + column[end:]


def _inside(start: int, end: int) -> Choose:
    return lambda column: column[start:end]


def _chosen(buckets: Buckets, choice: Callable[[list[int]], Choose]) -> Buckets:
    """The same places out of all columns of a series; what has none is left out."""
    kept = Buckets(buckets.start_s, buckets.step_s)
    choose = choice(buckets.where)
    kept.where, kept.logs, kept.minutes = choose(buckets.where), choose(buckets.logs), choose(buckets.minutes)
    for key, gauge in buckets.gauges.items():
        choose = choice(gauge.where)
        if where := choose(gauge.where):
            columns = (gauge.count, gauge.low, gauge.mean, gauge.high, gauge.last)
            kept.gauges[key] = Gauge(gauge.exponent, where, *map(choose, columns))
    for key, counter in buckets.counters.items():
        choose = choice(counter.where)
        if where := choose(counter.where):
            kept.counters[key] = Counter(where, *map(choose, (counter.first, counter.grown, counter.last)))
    return kept


def put_together(first: Buckets, second: Buckets) -> Buckets:
    """Both, where no bucket of one is a bucket of the other; they may begin at different times."""
    shift = (second.start_s - first.start_s) // first.step_s
    both = Buckets(first.start_s, first.step_s)
    theirs = [bucket + shift for bucket in second.where]
    both.where, (both.logs, both.minutes) = _merge(
        first.where, (first.logs, first.minutes), theirs, (second.logs, second.minutes)
    )
    for key in first.gauges | second.gauges:
        ours, other = first.gauges.get(key), second.gauges.get(key)
        both.gauges[key] = _gauges(ours, None if other is None else _moved(other, shift))
    for key in first.counters | second.counters:
        both.counters[key] = _counters(first.counters.get(key), second.counters.get(key), shift)
    return both


def _merge(
    where: list[int], columns: tuple[list[int], ...], more: list[int], more_columns: tuple[list[int], ...]
) -> tuple[list[int], tuple[list[int], ...]]:
    """`more` is one run in time: it goes before, behind or into a gap of `where`."""
    at = bisect_left(where, more[0]) if more else 0
    merged = tuple(ours[:at] + theirs + ours[at:] for ours, theirs in zip(columns, more_columns, strict=True))
    return where[:at] + more + where[at:], merged


def _moved(gauge: Gauge, shift: int) -> Gauge:
    where = [bucket + shift for bucket in gauge.where]
    return Gauge(gauge.exponent, where, gauge.count, gauge.low, gauge.mean, gauge.high, gauge.last)


def _gauges(first: Gauge | None, second: Gauge | None) -> Gauge:
    if first is None or second is None:
        one = first or second
        assert one is not None  # noqa: S101 - the key is from one of them
        return one
    exponent = min(first.exponent, second.exponent)
    ours, theirs = (finer(gauge, exponent) for gauge in (first, second))
    where, (count, low, mean, high, last) = _merge(
        ours.where,
        (ours.count, ours.low, ours.mean, ours.high, ours.last),
        theirs.where,
        (theirs.count, theirs.low, theirs.mean, theirs.high, theirs.last),
    )
    return Gauge(exponent, where, count, low, mean, high, last)


def finer(gauge: Gauge, exponent: int) -> Gauge:
    """The same in smaller steps."""
    if gauge.exponent == exponent:
        return gauge
    factor = 10 ** (gauge.exponent - exponent)
    low, mean, high, last = (
        [value * factor for value in column] for column in (gauge.low, gauge.mean, gauge.high, gauge.last)
    )
    return Gauge(exponent, gauge.where, gauge.count, low, mean, high, last)


def _counters(first: Counter | None, second: Counter | None, shift: int) -> Counter:
    ours, theirs = first or Counter([], [], [], []), second or Counter([], [], [], [])
    where, (begin, more, end) = _merge(
        ours.where,
        (ours.first, ours.grown, ours.last),
        [bucket + shift for bucket in theirs.where],
        (theirs.first, theirs.grown, theirs.last),
    )
    return Counter(where, begin, more, end)
