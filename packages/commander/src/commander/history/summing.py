"""Logs summed up per minute, and minutes per longer step: exactly, and rounded at the end."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from math import fsum

from commander.history.buckets import Buckets, Counter, Gauge, grown
from commander.history.readings import COUNTERS, Readings, Series
from commander.history.resolution import exponent_of, in_whole_steps, rounded, rounded_all, scale_of


@dataclass(slots=True)
class Sums:
    """A gauge before its means are rounded. A hashrate in H/s, any other figure in its smallest steps."""

    where: list[int] = field(default_factory=list)
    count: list[int] = field(default_factory=list)
    low: list[float] = field(default_factory=list)
    total: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)
    last: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Summed:
    """What logs of a stretch of time come to per step; as `Buckets`, before rounding."""

    start_s: int
    step_s: int
    where: list[int] = field(default_factory=list)
    logs: list[int] = field(default_factory=list)
    minutes: list[int] = field(default_factory=list)
    gauges: dict[Series, Sums] = field(default_factory=dict)
    counters: dict[Series, Counter] = field(default_factory=dict)


Run = tuple[int, int, int]  # bucket, its first place in a list, the place behind its last


def summed(logs: Iterable[tuple[int, Readings]], *, start_s: int, step_s: int) -> Summed:
    """Of logs as (taken at, in microseconds; readings), in the order of their times, in steps of a minute or less."""
    sums = Summed(start_s, step_s)
    start_us, step_us = start_s * 1_000_000, step_s * 1_000_000
    places: list[int] = []
    columns: dict[Series, tuple[list[int], list[float]]] = {}
    for taken_at_us, readings in logs:
        place = (taken_at_us - start_us) // step_us
        places.append(place)
        for key, value in readings.items():
            try:
                where, values = columns[key]
            except KeyError:
                where, values = columns[key] = [], []
            where.append(place)
            values.append(value)
    runs = _runs(places)
    sums.where, sums.logs, sums.minutes = [run[0] for run in runs], [end - at for _, at, end in runs], [1] * len(runs)
    for key, (where, values) in columns.items():
        its_runs = runs if where == places else _runs(where)
        if key[0] in COUNTERS:
            sums.counters[key] = _counter(its_runs, values)
        else:
            sums.gauges[key] = _sums(key[0], its_runs, values)
    return sums


def _runs(places: list[int]) -> list[Run]:
    runs: list[Run] = []
    start = 0
    for place, run in groupby(places):
        end = start + len(list(run))
        runs.append((place, start, end))
        start = end
    return runs


def _sums(figure: str, runs: list[Run], values: list[float]) -> Sums:
    exact = rounded_all(figure, values)
    parts = [exact[start:end] for _, start, end in runs]
    return Sums(
        where=[place for place, _, _ in runs],
        count=[len(part) for part in parts],
        low=[min(part) for part in parts],
        total=[fsum(part) for part in parts],
        high=[max(part) for part in parts],
        last=[part[-1] for part in parts],
    )


def _counter(runs: list[Run], values: list[float]) -> Counter:
    counts = [int(value) for value in values]
    steps = [grown(before, after) for before, after in pairwise(counts)]
    return Counter(
        where=[place for place, _, _ in runs],
        first=[counts[start] for _, start, _ in runs],
        grown=[sum(steps[start : end - 1]) for _, start, end in runs],
        last=[counts[end - 1] for _, _, end in runs],
    )


def coarser(sums: Summed, *, step_s: int) -> Summed:
    """The same in longer steps, a multiple of its own."""
    factor = step_s // sums.step_s
    less = Summed(sums.start_s, step_s)
    runs = _runs([place // factor for place in sums.where])
    less.where = [run[0] for run in runs]
    less.logs = [sum(sums.logs[start:end]) for _, start, end in runs]
    less.minutes = [sum(sums.minutes[start:end]) for _, start, end in runs]
    for key, gauge in sums.gauges.items():
        less.gauges[key] = _coarser_sums(gauge, _runs([place // factor for place in gauge.where]))
    for key, counter in sums.counters.items():
        less.counters[key] = _coarser_counter(counter, _runs([place // factor for place in counter.where]))
    return less


def _coarser_sums(gauge: Sums, runs: list[Run]) -> Sums:
    return Sums(
        where=[place for place, _, _ in runs],
        count=[sum(gauge.count[start:end]) for _, start, end in runs],
        low=[min(gauge.low[start:end]) for _, start, end in runs],
        total=[fsum(gauge.total[start:end]) for _, start, end in runs],
        high=[max(gauge.high[start:end]) for _, start, end in runs],
        last=[gauge.last[end - 1] for _, _, end in runs],
    )


def _coarser_counter(counter: Counter, runs: list[Run]) -> Counter:
    between = [grown(before, after) for before, after in zip(counter.last, counter.first[1:], strict=False)]
    return Counter(
        where=[place for place, _, _ in runs],
        first=[counter.first[start] for _, start, _ in runs],
        grown=[sum(counter.grown[start:end]) + sum(between[start : end - 1]) for _, start, end in runs],
        last=[counter.last[end - 1] for _, _, end in runs],
    )


def in_buckets(sums: Summed) -> Buckets:
    """With its means rounded, as it is kept."""
    gauges = {key: _gauge(key[0], gauge) for key, gauge in sums.gauges.items()}
    return Buckets(sums.start_s, sums.step_s, sums.where, sums.logs, sums.minutes, gauges, sums.counters)


def _gauge(figure: str, sums: Sums) -> Gauge:
    means = [total / count for total, count in zip(sums.total, sums.count, strict=True)]
    return gauge_of(figure, sums.where, sums.count, low=sums.low, mean=means, high=sums.high, last=sums.last)


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
    """Of rounded readings and their means, which are rounded here."""
    if (exponent := scale_of(figure)) is not None:
        columns = [[round(value) for value in column] for column in (low, mean, high, last)]
        return Gauge(exponent, where, count, *columns)
    mean = [rounded(figure, value) for value in mean]
    exponent = exponent_of((*low, *mean, *high, *last))
    return Gauge(exponent, where, count, *(in_whole_steps(column, exponent) for column in (low, mean, high, last)))
