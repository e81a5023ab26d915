"""Logs that come when the raw ones of their hour are gone: added to the buckets that were made of those."""

from collections.abc import Callable

from commander.history.buckets import Buckets, Counter, Gauge, finer, grown
from commander.history.resolution import exponent_of, in_units, in_whole_steps, rounded, scale_of

After = Callable[[int], bool]


def with_late(kept: Buckets, late: Buckets, after: After) -> Buckets:
    """Adds late logs to the buckets of an hour. `after` returns whether a bucket's late logs are newer than its others.

    Means are weighted by their readings. Only where late logs lie between the old ones of one bucket does it matter
    that those are gone: `last` and the growth of counters are then as if all the late ones came after them.
    """
    both = Buckets(kept.start_s, kept.step_s)
    both.where = sorted({*kept.where, *late.where})
    logs = [_by_bucket(buckets.where, buckets.logs) for buckets in (kept, late)]
    both.logs = [logs[0].get(bucket, 0) + logs[1].get(bucket, 0) for bucket in both.where]
    for key in kept.gauges | late.gauges:
        both.gauges[key] = _gauge(key[0], kept.gauges.get(key), late.gauges.get(key), after)
    for key in kept.counters | late.counters:
        both.counters[key] = _counter(kept.counters.get(key), late.counters.get(key), after)
    return both


def _by_bucket(where: list[int], column: list[int]) -> dict[int, int]:
    return dict(zip(where, column, strict=True))


def _gauge(figure: str, kept: Gauge | None, late: Gauge | None, after: After) -> Gauge:
    if kept is None or late is None:
        one = kept or late
        assert one is not None  # noqa: S101 - the key is from one of them
        return one
    exponent = min(kept.exponent, late.exponent)
    ours, theirs = (_rows(finer(gauge, exponent)) for gauge in (kept, late))
    where = sorted(ours | theirs)
    rows = [_joined(ours.get(bucket), theirs.get(bucket), late_is_last=after(bucket)) for bucket in where]
    count, low, mean, high, last = (list(column) for column in zip(*rows, strict=True))
    if scale_of(figure) is not None:
        return Gauge(exponent, where, count, low, [round(value) for value in mean], high, last)
    means_hs = [rounded(figure, in_units(value, exponent)) for value in mean]
    finest = min(exponent, exponent_of(means_hs))
    gauge = finer(Gauge(exponent, where, count, low, low, high, last), finest)
    gauge.mean = in_whole_steps(means_hs, finest)
    return gauge


Row = tuple[int, int, float, int, int]


def _rows(gauge: Gauge) -> dict[int, Row]:
    columns = (gauge.count, gauge.low, gauge.mean, gauge.high, gauge.last)
    return dict(zip(gauge.where, zip(*columns, strict=True), strict=True))


def _joined(kept: Row | None, late: Row | None, *, late_is_last: bool) -> Row:
    if kept is None or late is None:
        one = kept or late
        assert one is not None  # noqa: S101 - the bucket is from one of them
        return one
    count = kept[0] + late[0]
    mean = (kept[2] * kept[0] + late[2] * late[0]) / count
    return count, min(kept[1], late[1]), mean, max(kept[3], late[3]), late[4] if late_is_last else kept[4]


def _counter(kept: Counter | None, late: Counter | None, after: After) -> Counter:
    ours, theirs = ({} if counter is None else _counts(counter) for counter in (kept, late))
    where = sorted(ours | theirs)
    rows = [_counted(ours.get(bucket), theirs.get(bucket), late_is_last=after(bucket)) for bucket in where]
    first, more, last = (list(column) for column in zip(*rows, strict=True))
    return Counter(where, first, more, last)


Counts = tuple[int, int, int]


def _counts(counter: Counter) -> dict[int, Counts]:
    return dict(zip(counter.where, zip(counter.first, counter.grown, counter.last, strict=True), strict=True))


def _counted(kept: Counts | None, late: Counts | None, *, late_is_last: bool) -> Counts:
    if kept is None or late is None:
        one = kept or late
        assert one is not None  # noqa: S101 - the bucket is from one of them
        return one
    early, later = (kept, late) if late_is_last else (late, kept)
    return early[0], early[1] + grown(early[2], later[0]) + later[1], later[2]
