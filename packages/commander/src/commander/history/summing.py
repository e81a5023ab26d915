"""Logs summed up per minute, and minutes per longer step: exactly, and rounded at the end."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from math import fsum

from protocol.figures import COUNTERS

from commander.history.buckets import Buckets, Counter, Gauge, grown
from commander.history.names import Named, put
from commander.history.resolution import exponent_of, in_whole_steps, rounded_all, scale_of
from commander.readings.series import Readings, Series

VALUES_AT_ONCE = 500_000  # some 20 MB


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
    """The sums of logs per step; as `Buckets`, before rounding."""

    start_s: int
    step_s: int
    where: list[int] = field(default_factory=list)
    logs: list[int] = field(default_factory=list)
    minutes: list[int] = field(default_factory=list)
    gauges: dict[Series, Sums] = field(default_factory=dict)
    counters: dict[Series, Counter] = field(default_factory=dict)


Run = tuple[int, int, int]  # bucket, its first place in a list, the place behind its last


def summed(logs: Iterable[tuple[int, Readings]], *, start_s: int, step_s: int, names: Named) -> Summed:
    """Of logs as (taken at, in microseconds; readings), in the order of their times, in steps of a minute or less."""
    summing = Summing(start_s, step_s, names)
    for taken_at_us, readings in logs:
        summing.add(taken_at_us, readings)
    return summing.result()


class Summing:
    """Sums up log by log. At most about `VALUES_AT_ONCE` readings are in memory, for any number of logs.

    Nearly all logs of a rig have the same series as the one before. Such logs are rows of one table, and each series
    gets its column of that table at once.
    """

    def __init__(self, start_s: int, step_s: int, names: Named) -> None:
        self._start_us, self._step_us = start_s * 1_000_000, step_s * 1_000_000
        self._names = names
        self._done = Summed(start_s, step_s)
        self._series: list[Series] = []  # of the rows below
        self._rows: list[tuple[float, ...]] = []
        self._places_of_rows: list[int] = []
        self._forget()

    def _forget(self) -> None:
        self._places: list[int] = []
        self._columns: dict[Series, tuple[list[int], list[float]]] = {}
        self._values = 0

    def add(self, taken_at_us: int, readings: Readings) -> None:
        if self._values > VALUES_AT_ONCE:
            self._sum_up()
        if (series := list(readings)) != self._series:
            self._put_rows()
            self._series = series
        place = (taken_at_us - self._start_us) // self._step_us
        self._places.append(place)
        self._places_of_rows.append(place)
        self._rows.append(tuple(readings.values()))
        self._values += len(readings)

    def _put_rows(self) -> None:
        """Moves the rows into the columns of their series."""
        if not self._rows:
            return
        names = [each if each in self._columns else self._names(each) for each in self._series]
        if names == self._series:
            for series, values in zip(self._series, zip(*self._rows, strict=True), strict=True):
                self._put(series, self._places_of_rows, values)
        else:
            for place, row in zip(self._places_of_rows, self._rows, strict=True):
                self._put_beyond_bounds(place, zip(self._series, names, row, strict=True))
        self._rows, self._places_of_rows = [], []

    def _put_beyond_bounds(self, place: int, row: Iterable[tuple[Series, Series | None, float]]) -> None:
        """Puts one log, some of whose series have no name of their own."""
        beyond: Readings = {}
        for series, name, value in row:
            if name == series or series in self._columns:  # one named “other” may have come into being by a log before
                self._put(series, (place,), (value,))
            elif name is not None:
                put(beyond, name, value)
        for name, value in beyond.items():
            self._put(name, (place,), (value,))

    def _put(self, series: Series, places: Iterable[int], values: Iterable[float]) -> None:
        if series not in self._columns:
            self._columns[series] = [], []
        where, column = self._columns[series]
        where += places
        column += values

    def result(self) -> Summed:
        self._sum_up()
        return self._done

    def _sum_up(self) -> None:
        self._put_rows()
        done, places = self._done, self._places
        runs = _runs(places)
        part = Summed(done.start_s, done.step_s, [run[0] for run in runs])
        part.logs, part.minutes = [end - at for _, at, end in runs], [1] * len(runs)
        for key, (where, values) in self._columns.items():
            its_runs = runs if where == places else _runs(where)
            if key[0] in COUNTERS:
                part.counters[key] = _counter(its_runs, values)
            else:
                part.gauges[key] = _sums(key[0], its_runs, values)
        self._done = followed(done, part) if done.where else part
        self._forget()


def followed(first: Summed, then: Summed) -> Summed:
    """Appends `then` to `first`. The last bucket of `first` may continue in `then`."""
    if not then.where:
        return first
    goes_on = first.where[-1] == then.where[0]
    if goes_on:
        first.logs[-1] += then.logs[0]
    start = 1 if goes_on else 0
    first.where += then.where[start:]
    first.logs += then.logs[start:]
    first.minutes += then.minutes[start:]
    for key, gauge in then.gauges.items():
        first.gauges[key] = _followed_sums(first.gauges[key], gauge) if key in first.gauges else gauge
    for key, counter in then.counters.items():
        first.counters[key] = _followed_counter(first.counters[key], counter) if key in first.counters else counter
    return first


def _followed_sums(first: Sums, then: Sums) -> Sums:
    start = 0
    if first.where[-1] == then.where[0]:
        start = 1
        first.count[-1] += then.count[0]
        first.low[-1] = min(first.low[-1], then.low[0])
        first.total[-1] += then.total[0]
        first.high[-1] = max(first.high[-1], then.high[0])
        first.last[-1] = then.last[0]
    first.where += then.where[start:]
    first.count += then.count[start:]
    first.low += then.low[start:]
    first.total += then.total[start:]
    first.high += then.high[start:]
    first.last += then.last[start:]
    return first


def _followed_counter(first: Counter, then: Counter) -> Counter:
    start = 0
    if first.where[-1] == then.where[0]:
        start = 1
        first.grown[-1] += grown(first.last[-1], then.first[0]) + then.grown[0]
        first.last[-1] = then.last[0]
    first.where += then.where[start:]
    first.first += then.first[start:]
    first.grown += then.grown[start:]
    first.last += then.last[start:]
    return first


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
    means = (total / count for total, count in zip(sums.total, sums.count, strict=True))
    if (exponent := scale_of(figure)) is not None:
        low, high, last = (list(map(int, column)) for column in (sums.low, sums.high, sums.last))  # they are whole
        return Gauge(exponent, sums.where, sums.count, low, list(map(round, means)), high, last)
    mean = rounded_all(figure, means)
    exponent = exponent_of((*sums.low, *mean, *sums.high, *sums.last))
    columns = (in_whole_steps(column, exponent) for column in (sums.low, mean, sums.high, sums.last))
    return Gauge(exponent, sums.where, sums.count, *columns)
