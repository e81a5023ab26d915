"""Figures per bucket of time: what logs come to, in whole numbers of each figure's resolution.

A gauge (a temperature, a hashrate) has the lowest, mean, highest and last reading of a bucket; a counter has the first
and last count and what it grew by between them, so that its growth across buckets is a difference of neighbours.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from math import fsum

from commander.history.readings import COUNTERS, HASHRATE, Readings, Series
from commander.history.resolution import exponent_of, in_steps, rounded_reading


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
    """`grown` is the growth from the bucket's first count to its last, also where it started anew in between."""

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


@dataclass(slots=True)
class Reported:
    """Logs taken apart: each series with the moments (seconds since `start_s`) and values of its readings."""

    start_s: int
    moments: list[float] = field(default_factory=list)
    series: dict[Series, tuple[list[float], list[float]]] = field(default_factory=dict)


def reported(logs: Iterable[tuple[int, Readings]], *, start_s: int) -> Reported:
    """From logs as (taken at, in microseconds; readings), in the order of their times."""
    all_logs = Reported(start_s)
    start_us, series = start_s * 1_000_000, all_logs.series
    for taken_at_us, readings in logs:
        moment = (taken_at_us - start_us) / 1_000_000
        all_logs.moments.append(moment)
        for key, value in readings.items():
            if (known := series.get(key)) is None:
                known = series[key] = ([], [])
            known[0].append(moment)
            known[1].append(value)
    return all_logs


def in_buckets(logs: Reported, *, step_s: int) -> Buckets:
    buckets = Buckets(logs.start_s, step_s)
    places = [int(moment // step_s) for moment in logs.moments]
    for place, run in groupby(range(len(places)), key=places.__getitem__):
        inside = list(run)
        buckets.where.append(place)
        buckets.logs.append(len(inside))
        buckets.minutes.append(len({logs.moments[at] // 60 for at in inside}))
    for key, (moments, values) in logs.series.items():
        if key[0] in COUNTERS:
            buckets.counters[key] = _counter(moments, values, step_s)
        else:
            buckets.gauges[key] = _gauge(key[0], moments, values, step_s)
    return buckets


def _runs(moments: list[float], step_s: int) -> list[tuple[int, int, int]]:
    """Which readings fall into which bucket, as (bucket, first, behind the last)."""
    runs: list[tuple[int, int, int]] = []
    start = 0
    for place, run in groupby(moment // step_s for moment in moments):
        end = start + sum(1 for _ in run)
        runs.append((int(place), start, end))
        start = end
    return runs


def _gauge(figure: str, moments: list[float], values: list[float], step_s: int) -> Gauge:
    exact = [rounded_reading(figure, value) for value in values]
    runs = _runs(moments, step_s)
    parts = [exact[start:end] for _, start, end in runs]
    return gauge_of(
        figure,
        [place for place, _, _ in runs],
        [len(part) for part in parts],
        low=[min(part) for part in parts],
        mean=[fsum(part) / len(part) for part in parts],
        high=[max(part) for part in parts],
        last=[part[-1] for part in parts],
    )


def gauge_of(
    figure: str,
    where: list[int],
    count: list[int],
    *,
    low: list[float],
    mean: list[float],
    high: list[float],
    last: list[float],
) -> Gauge:
    """From rounded readings; their means are rounded here. Hashrates come in their unit, others in their steps."""
    if figure != HASHRATE:
        whole = [round(value) for value in mean]
        return Gauge(exponent_of(figure, ()), where, count, _whole(low), whole, _whole(high), _whole(last))
    mean = [rounded_reading(figure, value) for value in mean]
    exponent = exponent_of(figure, (*low, *mean))
    columns = [in_steps(column, exponent) for column in (low, mean, high, last)]
    return Gauge(exponent, where, count, *columns)


def _whole(values: list[float]) -> list[int]:
    return [int(value) for value in values]


def _counter(moments: list[float], values: list[float], step_s: int) -> Counter:
    counts = [int(value) for value in values]
    steps = [grown(before, after) for before, after in pairwise(counts)]
    runs = _runs(moments, step_s)
    return Counter(
        where=[place for place, _, _ in runs],
        first=[counts[start] for _, start, _ in runs],
        grown=[sum(steps[start : end - 1]) for _, start, end in runs],
        last=[counts[end - 1] for _, _, end in runs],
    )


def grown(before: int, after: int) -> int:
    """What a counter grew by from one look to the next; one that fell has started anew from zero."""
    return after - before if after >= before else after
