"""The schedule on a clock that the test moves."""

import heapq
import random
from collections.abc import Callable

import pytest
from asic_sentry.schedule import DEAD_AFTER, LONGEST_BACKOFF_S, Schedule, backoff_s

EVERY_S = 10.0


def middle() -> float:
    return 0.5


def one(dice: Callable[[], float] = middle) -> Schedule:
    """A schedule of one that was asked for the first time."""
    schedule = Schedule(EVERY_S, dice)
    schedule.add([1], 0.0)
    assert [due.key for due in schedule.take_due(1.0, 500)] == [1]
    return schedule


def fail(schedule: Schedule, now_s: float, failures: int) -> float:
    """Returns when the next poll is due after this number of failures."""
    schedule.done(1, now_s, failures)
    due_s = schedule.next_due_s()
    assert due_s is not None
    assert [due.key for due in schedule.take_due(due_s, 1)] == [1]
    return due_s


def test_a_healthy_one_is_asked_at_its_interval_however_long_it_takes() -> None:
    schedule = one()
    schedule.done(1, 1.0, 0)
    first = schedule.next_due_s()
    assert first is not None
    schedule.take_due(first, 1)
    schedule.done(1, first + 4.9, 0)
    assert schedule.next_due_s() == pytest.approx(first + EVERY_S)


def test_what_is_handed_out_is_not_due_again_before_it_is_done() -> None:
    schedule = one()
    assert schedule.take_due(1e9, 500) == []
    schedule.hurry(1, 2.0)
    assert schedule.take_due(1e9, 500) == []
    assert (schedule.in_flight, schedule.next_due_s()) == (1, None)


def test_no_more_are_handed_out_than_may_be_in_flight() -> None:
    schedule = Schedule(EVERY_S, middle)
    schedule.add(list(range(600)), 0.0)
    assert len(schedule.take_due(100.0, 500)) == 500
    assert schedule.in_flight == 500
    schedule.done(0, 100.0, 0)
    assert len(schedule.take_due(100.0, 500 - schedule.in_flight)) == 1


def test_a_dead_one_is_asked_less_and_less_often_up_to_five_minutes() -> None:
    schedule, now_s, waits = one(), 1.0, []
    for failures in range(1, 12):
        due_s = fail(schedule, now_s, failures)
        waits.append(round(due_s - now_s))
        now_s = due_s
    assert waits == [10, 10, 20, 40, 80, 160, 300, 300, 300, 300, 300]


def test_the_first_answer_makes_it_normal_at_once() -> None:
    schedule = one()
    due_s = fail(schedule, 1000.0, 9)
    schedule.done(1, due_s, 0)
    assert (schedule.next_due_s() or 0) - due_s <= EVERY_S * 1.5
    again = schedule.next_due_s() or 0
    schedule.take_due(again, 1)
    schedule.done(1, again, 0)
    assert schedule.next_due_s() == pytest.approx(again + EVERY_S)


@pytest.mark.parametrize("every_s", [1.0, 10.0, 600.0, 3600.0])
def test_the_back_off_is_never_shorter_than_the_interval(every_s: float) -> None:
    assert all(backoff_s(failures, every_s) >= every_s for failures in range(100))
    assert backoff_s(DEAD_AFTER - 1, every_s) == every_s
    assert backoff_s(99, every_s) == max(every_s, LONGEST_BACKOFF_S)


def test_a_removed_one_is_not_asked_also_when_it_is_being_asked() -> None:
    schedule = one()
    schedule.remove(1)
    schedule.done(1, 5.0, 0)
    assert (schedule.next_due_s(), len(schedule), 1 in schedule) == (None, 0, False)


def test_a_shorter_interval_holds_at_once() -> None:
    schedule = Schedule(3600.0, middle)
    schedule.add([1], 0.0)
    schedule.take_due(100.0, 1)
    schedule.done(1, 100.0, 0)
    schedule.change_interval(10.0, 100.0)
    assert (schedule.next_due_s() or 0) <= 110.0


def test_a_thousand_that_were_added_together_are_spread_over_the_interval() -> None:
    dice = random.Random(4)  # noqa: S311 - no secret
    schedule = Schedule(EVERY_S, dice.random)
    schedule.add(list(range(1000)), 0.0)
    starts = simulated(schedule, until_s=120.0, takes_s=lambda _key: 0.05, fails=lambda _key: False)
    last = [at for at, _, _ in starts if 100 <= at < 110]
    assert 950 <= len(last) <= 1050
    busiest = max(sum(second <= at < second + 1 for at in last) for second in range(100, 110))
    assert busiest < 150


def test_with_a_tenth_dead_or_hung_the_healthy_ones_keep_their_interval() -> None:
    """A hung one takes the whole five seconds of a poll; up to 500 are in flight."""
    dice = random.Random(4)  # noqa: S311 - no secret
    schedule = Schedule(EVERY_S, dice.random)
    schedule.add(list(range(1000)), 0.0)
    starts = simulated(
        schedule, until_s=300.0, takes_s=lambda key: 5.0 if key % 10 == 0 else 0.3, fails=lambda key: key % 10 == 0
    )
    healthy = sorted(late_s for _, key, late_s in starts if key % 10)
    assert len(healthy) == pytest.approx(900 * 30, rel=0.05)
    assert healthy[int(len(healthy) * 0.99)] <= 0.25
    dead = [at for at, key, _ in starts if key == 10]
    assert len(dead) < 10


def simulated(
    schedule: Schedule, *, until_s: float, takes_s: Callable[[int], float], fails: Callable[[int], bool]
) -> list[tuple[float, int, float]]:
    """Returns the start of each poll, its ASIC and its lateness. A clock in steps of 100 ms, as the poller's."""
    starts: list[tuple[float, int, float]] = []
    running: list[tuple[float, int]] = []
    failures: dict[int, int] = {}
    now_s = 0.0
    while now_s < until_s:
        while running and running[0][0] <= now_s:
            done_s, key = heapq.heappop(running)
            failures[key] = failures.get(key, 0) + 1 if fails(key) else 0
            schedule.done(key, done_s, failures[key])
        for due in schedule.take_due(now_s, 500 - schedule.in_flight):
            starts.append((now_s, due.key, now_s - due.at_s))
            heapq.heappush(running, (now_s + takes_s(due.key), due.key))
        now_s += 0.1
    return starts
