"""The farm's own series: what its rigs come to in each minute, corrected whenever an hour of a rig is rolled up again.

A rig adds the mean of its minute. The sums are whole numbers, so that adding and taking away never drifts: hashrates
in thousandths, watts in tenths. A rig that is removed leaves what it added.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from commander.history.buckets import Buckets, Gauge
from commander.history.names import Named
from commander.readings.series import HASHRATE, POWER, Series, one_series, work_of

RIGS_ALIVE, POWER_RIGS = "rigs_alive", "power_rigs"
EXPONENTS = {HASHRATE: -3, POWER: -1, RIGS_ALIVE: 0, POWER_RIGS: 0}
POWER_SERIES: Series = (POWER, None, None, None)
ALIVE_SERIES: Series = (RIGS_ALIVE, None, None, None)

Added = tuple[int, int]  # to the sum, to the number of rigs in it
Sums = dict[Series, dict[int, Added]]  # by minute, in seconds since 1970


def contribution(minutes: Buckets) -> Sums:
    """Returns what a rig's minutes (or longer steps) add to the farm.

    Buckets with several spellings return exactly what they added when they were written, so it can be subtracted.
    """
    step_s = minutes.step_s
    alive: Sums = {ALIVE_SERIES: {minutes.start_s + step_s * bucket: (1, 1) for bucket in minutes.where}}
    parts = [(alive, 1)]
    for key, gauge in minutes.gauges.items():
        if is_part_of_farm(key):
            values = zip(gauge.where, _in_steps_of(EXPONENTS[key[0]], gauge), strict=True)
            added = {minutes.start_s + step_s * bucket: (value, 1) for bucket, value in values}
            parts.append(({one_series(key): added}, 1))
    return summed_up(parts)


def is_part_of_farm(key: Series) -> bool:
    """Returns whether the farm has a sum of this series."""
    return key[1] is None and (key[0] == POWER or (key[0] == HASHRATE and work_of(key).adds_up))


def named(sums: Sums, names: Named) -> Sums:
    """Returns the sums with at most as many names as there is room for."""
    return summed_up(({name: by_minute}, 1) for key, by_minute in sums.items() if (name := names(key)) is not None)


def _in_steps_of(exponent: int, gauge: Gauge) -> list[int]:
    if gauge.exponent >= exponent:
        return [value * 10 ** (gauge.exponent - exponent) for value in gauge.mean]
    return [round(value / 10 ** (exponent - gauge.exponent)) for value in gauge.mean]


def change(before: Sums, after: Sums) -> Sums:
    """Returns the difference to add to the farm when a rig's contribution changes."""
    return summed_up([(after, 1), (before, -1)])


def summed_up(parts: Iterable[tuple[Sums, int]]) -> Sums:
    total: dict[Series, dict[int, Added]] = defaultdict(dict)
    for sums, sign in parts:
        for key, by_minute in sums.items():
            line = total[key]
            for minute_s, (value, rigs) in by_minute.items():
                was_value, was_rigs = line.get(minute_s, (0, 0))
                line[minute_s] = (was_value + sign * value, was_rigs + sign * rigs)
    return dict(total)


def by_hour(sums: Sums) -> dict[int, Sums]:
    hours: dict[int, Sums] = {}
    for key, by_minute in sums.items():
        for minute_s, added in by_minute.items():
            if added != (0, 0):
                hours.setdefault(minute_s // 3600 * 3600, {}).setdefault(key, {})[minute_s] = added
    return hours


def sums_of(minutes: Buckets) -> Sums:
    """A farm's minutes as they are kept: `count` is the number of rigs in the sum."""
    return {
        key: {
            minutes.start_s + 60 * bucket: (value, rigs)
            for bucket, value, rigs in zip(gauge.where, gauge.mean, gauge.count, strict=True)
        }
        for key, gauge in minutes.gauges.items()
    }


def in_minutes(start_s: int, sums: Mapping[Series, Mapping[int, Added]], *, step_s: int = 60) -> Buckets:
    """The other way round; a sum of no rigs is no sum."""
    buckets = Buckets(start_s, step_s)
    for key, by_minute in sums.items():
        counted = sorted((minute_s, added) for minute_s, added in by_minute.items() if added[1] > 0)
        if counted:
            values = [value for _, (value, _) in counted]
            rigs = [count for _, (_, count) in counted]
            where = [(minute_s - start_s) // step_s for minute_s, _ in counted]
            buckets.gauges[key] = Gauge(EXPONENTS[key[0]], where, rigs, values, values, values, values)
    if alive := buckets.gauges.get(ALIVE_SERIES):
        buckets.where, buckets.logs, buckets.minutes = alive.where, alive.count, [1] * len(alive.where)
    return buckets


def longer(minutes: Buckets, step_s: int) -> Buckets:
    """The minutes of an hour in longer steps: a minute counts as one, however many rigs are in it."""
    factor = step_s // minutes.step_s
    less = Buckets(minutes.start_s, step_s)
    for place, start, end in _runs(minutes.where, factor):
        less.where.append(place)
        less.logs.append(sum(minutes.logs[start:end]))
        less.minutes.append(end - start)
    less.gauges = {key: _longer(gauge, factor) for key, gauge in with_power_rigs(minutes).gauges.items()}
    return less


def with_power_rigs(minutes: Buckets) -> Buckets:
    """Adds the number of rigs in the sum of the power, which a minute has as the sum's `count`."""
    gauges = dict(minutes.gauges)
    if power := gauges.get(POWER_SERIES):
        rigs = power.count
        gauges[POWER_RIGS, None, None, None] = Gauge(0, power.where, [1] * len(rigs), rigs, rigs, rigs, rigs)
    return replace(minutes, gauges=gauges)


def _longer(gauge: Gauge, factor: int) -> Gauge:
    runs = list(_runs(gauge.where, factor))
    return Gauge(
        gauge.exponent,
        where=[place for place, _, _ in runs],
        count=[end - start for _, start, end in runs],
        low=[min(gauge.low[start:end]) for _, start, end in runs],
        mean=[_rounded(sum(gauge.mean[start:end]), end - start) for _, start, end in runs],
        high=[max(gauge.high[start:end]) for _, start, end in runs],
        last=[gauge.last[end - 1] for _, _, end in runs],
    )


def _runs(where: list[int], factor: int) -> Iterator[tuple[int, int, int]]:
    start = 0
    for end in range(1, len(where) + 1):
        if end == len(where) or where[end] // factor != where[start] // factor:
            yield where[start] // factor, start, end
            start = end


def _rounded(total: int, count: int) -> int:
    return (2 * total + count) // (2 * count)


def counted_once(minutes: Buckets) -> Buckets:
    """For charts, where each minute weighs the same."""
    for gauge in minutes.gauges.values():
        gauge.count = [1] * len(gauge.where)
    return minutes
