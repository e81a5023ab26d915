"""Buckets and moments come out of their bytes as they went in, also the strange ones."""

import pytest
from commander.history.buckets import Buckets, Counter, Gauge, put_together, within, without
from commander.history.moments import pack_moments, unpack_moments
from commander.history.packing import CODEC, pack, unpack
from commander.readings.series import Series
from hypothesis import given
from hypothesis import strategies as some

CHUNK = 60
names = some.one_of(some.none(), some.sampled_from(["cpu", "0000:03:00.0", "Monero", "rx/0"]))
series = some.tuples(some.sampled_from(["power_w", "hashrate_hs", "accepted"]), names, names, names)
numbers = some.one_of(some.integers(0, 300), some.integers(0, 10**9), some.integers(0, 10**34))
places = some.lists(some.integers(0, CHUNK - 1), min_size=1, unique=True).map(sorted)


@some.composite
def gauges(draw: some.DrawFn, where: list[int]) -> Gauge:
    mine = [bucket for bucket in where if draw(some.integers(0, 5))] or where[:1]
    column = some.lists(numbers, min_size=len(mine), max_size=len(mine))
    counts = some.lists(some.integers(1, 400), min_size=len(mine), max_size=len(mine))
    return Gauge(draw(some.integers(-10, 20)), mine, draw(counts), *(draw(column) for _ in range(4)))


@some.composite
def counters(draw: some.DrawFn, where: list[int]) -> Counter:
    column = some.lists(some.integers(0, 2**53), min_size=len(where), max_size=len(where))
    return Counter(where, *(draw(column) for _ in range(3)))


@some.composite
def many_buckets(draw: some.DrawFn) -> Buckets:
    where = draw(places)
    column = some.lists(some.integers(1, 400), min_size=len(where), max_size=len(where))
    return Buckets(
        3600,
        60,
        where,
        draw(column),
        draw(column),
        draw(some.dictionaries(series, gauges(where), max_size=4)),
        draw(some.dictionaries(series, counters(where), max_size=2)),
    )


@given(many_buckets())
def test_buckets_come_out_as_they_went_in(buckets: Buckets) -> None:
    assert unpack(CODEC, pack(buckets), start_s=3600, step_s=60) == buckets


@given(many_buckets(), some.sampled_from(["power_w", "hashrate_hs", "accepted"]))
def test_what_is_not_wanted_is_left_out_and_nothing_else_changes(buckets: Buckets, figure: str) -> None:
    def wanted(key: Series) -> bool:
        return key[0] == figure

    found = unpack(CODEC, pack(buckets), start_s=3600, step_s=60, chosen=wanted)
    assert found.gauges == {key: gauge for key, gauge in buckets.gauges.items() if wanted(key)}
    assert found.counters == {key: counter for key, counter in buckets.counters.items() if wanted(key)}
    assert found.where == buckets.where


@given(many_buckets(), some.integers(0, CHUNK), some.integers(0, CHUNK))
def test_a_range_cut_out_and_put_back_is_the_whole(buckets: Buckets, one: int, other: int) -> None:
    since_s, until_s = (3600 + 60 * bucket for bucket in sorted((one, other)))
    inside, outside = within(buckets, since_s, until_s), without(buckets, since_s, until_s)
    whole = put_together(outside, inside)
    assert (whole.where, whole.logs, whole.minutes) == (buckets.where, buckets.logs, buckets.minutes)
    assert whole.gauges == buckets.gauges
    assert whole.counters == buckets.counters


@given(some.lists(some.integers(0, 3_600_000_000), min_size=1, unique=True).map(sorted), some.sampled_from([1, 1000]))
def test_moments_come_out_as_they_went_in(moments: list[int], unit_us: int) -> None:
    start_us = 1_780_000_000_000_000
    exact = [start_us + moment * unit_us for moment in moments]
    assert unpack_moments(pack_moments(exact)) == exact


def test_an_unknown_codec_is_said_to_be_one() -> None:
    with pytest.raises(ValueError, match="codec 9"):
        unpack(9, b"", start_s=0, step_s=60)
