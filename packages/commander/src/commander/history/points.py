"""Buckets of any length joined to the evenly spaced points of a chart."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from commander.history.buckets import Buckets, Counter, Gauge, grown
from commander.history.readings import ALIVE, SOURCE, Series
from commander.history.resolution import in_units

HOUR_S = 3_600
WEEK_S = 7 * 86_400
STEPS_S = (10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 2 * 86400, WEEK_S)
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
    """A series over all points. None: nothing is known of that time."""

    mean: list[Value]
    low: list[Value]
    high: list[Value]
    weight: list[int]  # of the mean so far: readings


@dataclass(slots=True)
class Points:
    """`count` points from `start_s` in steps. Buckets are put in in the order of their times."""

    start_s: int
    step_s: int
    count: int
    lines: dict[Series, Line] = field(default_factory=dict)
    _last_counts: dict[Series, int] = field(default_factory=dict)

    def put(self, buckets: Buckets, figures: Collection[str] | None) -> None:
        """Take in the buckets of those `figures`; None: of all."""
        for key, gauge in buckets.gauges.items():
            if figures is None or key[0] in figures:
                self._put_gauge(self._line(key), gauge, buckets)
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

    def _put_gauge(self, line: Line, gauge: Gauge, buckets: Buckets) -> None:
        for at, bucket in enumerate(gauge.where):
            place = self._place(buckets, bucket)
            if 0 <= place < self.count:
                low, high = in_units(gauge.low[at], gauge.exponent), in_units(gauge.high[at], gauge.exponent)
                mean, count = in_units(gauge.mean[at], gauge.exponent), gauge.count[at]
                _join(line, place, low, mean, high, count)

    def _put_counter(self, key: Series, counter: Counter, buckets: Buckets) -> None:
        before = self._last_counts.get(key)
        shown = key if not (key[1] or "").startswith(SOURCE) else (key[0], None, key[2], key[3])
        line = self._line(shown)
        for at, bucket in enumerate(counter.where):
            more = counter.grown[at] + (grown(before, counter.first[at]) if before is not None else 0)
            before = counter.last[at]
            place = self._place(buckets, bucket)
            if 0 <= place < self.count:
                line.mean[place] = line.low[place] = line.high[place] = (line.mean[place] or 0) + more
        self._last_counts[key] = counter.last[-1]

    def _put_alive(self, buckets: Buckets) -> None:
        line = self._line((ALIVE, None, None, None))
        minutes_a_point = max(1.0, self.step_s / 60)
        for at, bucket in enumerate(buckets.where):
            place = self._place(buckets, bucket)
            if 0 <= place < self.count:
                share = min(1.0, (line.mean[place] or 0) + buckets.minutes[at] / minutes_a_point)
                line.mean[place] = line.low[place] = line.high[place] = share


def _join(line: Line, place: int, low: float, mean: float, high: float, count: int) -> None:
    was_low, was_mean, was_high, weight = line.low[place], line.mean[place], line.high[place], line.weight[place]
    if was_low is None or was_mean is None or was_high is None:
        line.low[place], line.mean[place], line.high[place] = low, mean, high
    else:
        line.low[place], line.high[place] = min(was_low, low), max(was_high, high)
        line.mean[place] = (was_mean * weight + mean * count) / (weight + count)
    line.weight[place] = weight + count


def joined(parts: Iterable[Buckets], points: Points, figures: Collection[str] | None) -> Points:
    for buckets in parts:
        points.put(buckets, figures)
    return points
