"""Buckets of any length joined to the evenly spaced points of a chart."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import accumulate
from operator import mul

from commander.history.buckets import Buckets, Counter, Gauge, grown
from commander.history.resolution import all_in_units
from commander.readings.series import ALIVE, HASHRATE, SOURCE, FigureNames, Series
from commander.readings.summary import OTHER

WEEK_S = 7 * 86_400
STEPS_S = (10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 2 * 86400, WEEK_S)
MEAN_DECIMALS = 2  # one more than what figures are kept with
Value = float | None


def step_of(since_s: float, until_s: float, points: int, *, at_least_s: int) -> int:
    """The shortest step in which the range has at most `points` points that begin at multiples of it."""
    for step_s in STEPS_S:
        if step_s >= at_least_s and points_in(since_s, until_s, step_s) <= points:
            return step_s
    weeks = 2
    while points_in(since_s, until_s, weeks * WEEK_S) > points:
        weeks *= 2
    return weeks * WEEK_S


def points_in(since_s: float, until_s: float, step_s: int) -> int:
    return int(-(-until_s // step_s) - since_s // step_s)


@dataclass(slots=True)
class Line:
    """A series over all points. None: nothing is known of that time. `weight` is how many readings a mean is of."""

    mean: list[Value]
    low: list[Value]
    high: list[Value]
    weight: list[int]


@dataclass(slots=True)
class Runs:
    """The buckets of each point: those from start to end of a list belong to the point at the same index."""

    places: list[int]
    starts: list[int]
    ends: list[int]

    @property
    def one_each(self) -> bool:
        return len(self.places) == self.ends[-1] - self.starts[0]


@dataclass(slots=True)
class Points:
    """`count` points from `start_s` in steps. Buckets are put in in the order of their times."""

    start_s: int
    step_s: int
    count: int
    lines: dict[Series, Line] = field(default_factory=dict)
    _last_counts: dict[Series, int] = field(default_factory=dict)

    @property
    def until_s(self) -> int:
        return self.start_s + self.count * self.step_s

    def put(self, buckets: Buckets, figures: FigureNames) -> None:
        """Take in the buckets of those `figures`; None: of all."""
        runs_of: dict[int, Runs | None] = {}
        for key, gauge in buckets.gauges.items():
            if figures is None or key[0] in figures:
                if id(gauge.where) not in runs_of:
                    runs_of[id(gauge.where)] = self._runs(buckets, gauge.where)
                if runs := runs_of[id(gauge.where)]:
                    self._put_gauge(self._line(key), gauge, runs, exact=key[0] == HASHRATE)
        for key, counter in buckets.counters.items():
            if figures is None or key[0] in figures:
                self._put_counter(key, counter, buckets)
        if figures is None or ALIVE in figures:
            self._put_alive(buckets)

    def _line(self, key: Series) -> Line:
        if (line := self.lines.get(key)) is None:
            nothing: list[Value] = [None] * self.count
            line = self.lines[key] = Line(nothing, nothing[:], nothing[:], [0] * self.count)
        return line

    def _place(self, buckets: Buckets, bucket: int) -> int:
        return (buckets.start_s + bucket * buckets.step_s - self.start_s) // self.step_s

    def _runs(self, buckets: Buckets, where: list[int]) -> Runs | None:
        """None: all of them are outside."""
        runs = Runs([], [], [])
        for at, bucket in enumerate(where):
            place = self._place(buckets, bucket)
            if not 0 <= place < self.count:
                continue
            if runs.places and runs.places[-1] == place:
                runs.ends[-1] = at + 1
            else:
                runs.places.append(place)
                runs.starts.append(at)
                runs.ends.append(at + 1)
        return runs if runs.places else None

    def _put_gauge(self, line: Line, gauge: Gauge, runs: Runs, *, exact: bool) -> None:
        if runs.one_each:
            inside = slice(runs.starts[0], runs.ends[-1])
            low, mean, high, count = (column[inside] for column in (gauge.low, gauge.mean, gauge.high, gauge.count))
            means = all_in_units(mean, gauge.exponent)
        else:
            ends = list(zip(runs.starts, runs.ends, strict=True))
            low = [min(gauge.low[start:end]) for start, end in ends]
            high = low if gauge.high is gauge.low else [max(gauge.high[start:end]) for start, end in ends]
            counts = [0, *accumulate(gauge.count)]
            totals = [0, *accumulate(map(mul, gauge.mean, gauge.count))]
            count = [counts[end] - counts[start] for start, end in ends]
            means = all_in_units(
                [(totals[end] - totals[start]) / (counts[end] - counts[start]) for start, end in ends], gauge.exponent
            )
            if not exact:
                means = [round(mean, MEAN_DECIMALS) for mean in means]
        lows = all_in_units(low, gauge.exponent)
        highs = lows if high is low else all_in_units(high, gauge.exponent)
        _fill(line, runs.places, lows, means, highs, count)

    def _put_counter(self, key: Series, counter: Counter, buckets: Buckets) -> None:
        before = self._last_counts.get(key)
        shown = key if not (key[1] or "").startswith(SOURCE) else (key[0], None, key[2], key[3])
        line = self._line(shown)
        for first, more, last, bucket in zip(counter.first, counter.grown, counter.last, counter.where, strict=True):
            place = self._place(buckets, bucket)
            if 0 <= place < self.count:
                between = 0 if before is None else grown(before, first)
                line.mean[place] = (line.mean[place] or 0) + more + between
            before = last
        line.low = line.high = line.mean
        if counter.last:
            self._last_counts[key] = counter.last[-1]

    def _put_alive(self, buckets: Buckets) -> None:
        line = self._line((ALIVE, None, None, None))
        minutes_a_point = max(1.0, self.step_s / 60)
        for bucket, minutes in zip(buckets.where, buckets.minutes, strict=True):
            place = self._place(buckets, bucket)
            if 0 <= place < self.count:
                line.weight[place] += minutes
                line.mean[place] = min(1.0, line.weight[place] / minutes_a_point)
        line.low = line.high = line.mean


WORKS_IN_AN_ANSWER = 64


def largest(points: Points) -> Points:
    """Keeps the hashrates of the works that an answer has room for: those known longest, then the highest.

    The rest is added up as “other”.
    """
    others: Series = (HASHRATE, None, OTHER, None)
    lines = {key: line for key, line in points.lines.items() if key[0] == HASHRATE and key != others}
    by_size = sorted(lines, key=lambda key: _size(lines[key]), reverse=True)
    if not (rest := set(by_size[WORKS_IN_AN_ANSWER:])):
        return points
    kept = {key: line for key, line in points.lines.items() if key not in rest}
    kept[others] = _added_up([points.lines[key] for key in (*rest, others) if key in points.lines])
    return replace(points, lines=kept)


def _size(line: Line) -> tuple[int, float]:
    reported = [value for value in line.mean if value is not None]
    return len(reported), sum(reported)


def _added_up(lines: list[Line]) -> Line:
    mean, low, high = (
        [_total(values) for values in zip(*columns, strict=True)]
        for columns in (
            [line.mean for line in lines],
            [line.low for line in lines],
            [line.high for line in lines],
        )
    )
    return Line(mean, low, high, [max(weights) for weights in zip(*(line.weight for line in lines), strict=True)])


def _total(values: Iterable[Value]) -> Value:
    reported = [value for value in values if value is not None]
    return sum(reported) if reported else None


def _fill(
    line: Line, places: list[int], low: list[float], mean: list[float], high: list[float], count: list[int]
) -> None:
    """Only the first place can have something already, from the buckets before."""
    first, end = places[0], places[-1] + 1
    if line.weight[first]:
        _join(line, first, low[0], mean[0], high[0], count[0])
        places, low, mean, high, count = places[1:], low[1:], mean[1:], high[1:], count[1:]
        first += 1
    if len(places) == end - first:
        line.low[first:end], line.mean[first:end], line.high[first:end] = low, mean, high
        line.weight[first:end] = count
        return
    for at, place in enumerate(places):
        line.low[place], line.mean[place], line.high[place] = low[at], mean[at], high[at]
        line.weight[place] = count[at]


def _join(line: Line, place: int, low: float, mean: float, high: float, count: int) -> None:
    was_low, was_mean, was_high, weight = line.low[place], line.mean[place], line.high[place], line.weight[place]
    assert was_low is not None  # noqa: S101 - what has weight is known
    assert was_mean is not None  # noqa: S101
    assert was_high is not None  # noqa: S101
    line.low[place], line.high[place] = min(was_low, low), max(was_high, high)
    line.mean[place] = (was_mean * weight + mean * count) / (weight + count)
    line.weight[place] = weight + count
