"""Logs summed up by minute, whichever series each of them has."""

from collections import Counter as Counting

from commander.history.buckets import Counter
from commander.history.names import Names, Room
from commander.history.summing import Summed, Sums, summed
from commander.readings.series import Readings, Series
from hypothesis import given
from hypothesis import strategies as st

RIG: Series = "power_w", None, None, None
CARD: Series = "power_w", "gpu0", None, None
OTHER_CARD: Series = "power_w", "other", None, None
SHARES: Series = "accepted", "*xmrig", "randomx", "XMR"


def of(logs: list[tuple[float, Readings]], room: Room | None = None) -> Summed:
    """Returns the sums of logs, given with their time in seconds."""
    timed = [(round(at_s * 1_000_000), readings) for at_s, readings in logs]
    return summed(timed, start_s=0, step_s=60, names=Names(room or Room()).named)


def test_a_series_that_some_logs_lack_has_the_values_of_the_others() -> None:
    logs: list[tuple[float, Readings]] = [
        (0, {RIG: 100, CARD: 40}),
        (10, {RIG: 200, CARD: 60}),
        (20, {RIG: 300}),
        (30, {CARD: 50, RIG: 100}),  # another order
        (70, {RIG: 500, SHARES: 5}),
        (80, {RIG: 500, SHARES: 9}),
    ]
    sums = of(logs)
    assert (sums.where, sums.logs) == ([0, 1], [4, 2])
    assert sums.gauges == {
        RIG: Sums([0, 1], [4, 2], [1000, 5000], [7000, 10000], [3000, 5000], [1000, 5000]),
        CARD: Sums([0], [3], [400], [1500], [600], [500]),
    }
    assert sums.counters == {SHARES: Counter(where=[1], first=[5], grown=[4], last=[9])}


def test_series_beyond_the_bounds_are_added_up_log_by_log() -> None:
    cards: list[Series] = [("power_w", f"gpu{place}", None, None) for place in range(3)]
    logs: list[tuple[float, Readings]] = [
        (0, dict.fromkeys(cards, 10.0)),
        (10, dict.fromkeys(cards, 20.0)),
        (20, {cards[0]: 30.0, OTHER_CARD: 1.0, cards[2]: 4.0}),
    ]
    assert of(logs, Room(devices=1)).gauges == {
        cards[0]: Sums([0], [3], [100], [600], [300], [300]),
        OTHER_CARD: Sums([0], [4], [10], [650], [400], [40]),
    }


SERIES = st.sampled_from([RIG, CARD, OTHER_CARD, *[("power_w", f"gpu{place}", None, None) for place in range(1, 4)]])
LOGS = st.lists(st.dictionaries(SERIES, st.integers(0, 9), max_size=6), max_size=20)


@given(LOGS)
def test_each_total_is_the_sum_of_its_readings(logs: list[dict[Series, int]]) -> None:
    sums = of([(7.0 * place, dict(log)) for place, log in enumerate(logs)], Room(devices=2))
    expected: Counting[Series] = Counting()
    named = Names(Room(devices=2)).named
    for log in logs:
        for series, value in log.items():
            if (name := named(series)) is not None:
                expected[name] += 10 * value
    assert sum(sums.logs) == len(logs)
    assert {series: sum(gauge.total) for series, gauge in sums.gauges.items()} == expected
