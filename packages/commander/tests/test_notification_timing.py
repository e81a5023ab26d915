"""Quiet hours, digests and retries by the clock, also where summer time begins and ends."""

from datetime import UTC, datetime, timedelta

import pytest
from commander.notifications.domain import Digest, MessageState, QuietHours
from commander.notifications.timing import Unsent, next_digest, next_of_channel, next_try, quiet_until

BERLIN = "Europe/Berlin"
NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
MONTH_S = 30 * 86_400.0


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def quiet(since: str, until: str, zone: str = BERLIN) -> QuietHours:
    return QuietHours(since=since, until=until, time_zone=zone)


@pytest.mark.parametrize(
    ("hours", "now", "end"),
    [
        (quiet("22:00", "07:00"), "2026-11-29 20:59", None),  # 21:59 in Berlin
        (quiet("22:00", "07:00"), "2026-11-29 21:00", "2026-11-30 06:00"),
        (quiet("22:00", "07:00"), "2026-11-30 05:59", "2026-11-30 06:00"),
        (quiet("22:00", "07:00"), "2026-11-30 06:00", None),
        (quiet("12:00", "13:30"), "2026-11-29 11:30", "2026-11-29 12:30"),
        (quiet("12:00", "13:30"), "2026-11-29 12:30", None),
        (quiet("22:00", "07:00", "UTC"), "2026-11-29 22:00", "2026-11-30 07:00"),
        (quiet("22:00", "07:00", "Asia/Kolkata"), "2026-11-29 16:30", "2026-11-30 01:30"),
        # Summer time begins on 2026-03-29: 02:00 becomes 03:00. The night has an hour less.
        (quiet("22:00", "07:00"), "2026-03-28 21:00", "2026-03-29 05:00"),
        (quiet("01:00", "02:30"), "2026-03-29 00:30", "2026-03-29 01:00"),  # 02:30 is left out
        (quiet("02:15", "02:45"), "2026-03-29 01:00", None),
        # It ends on 2026-10-25: 03:00 becomes 02:00. The night has an hour more.
        (quiet("22:00", "07:00"), "2026-10-24 20:00", "2026-10-25 06:00"),
        (quiet("22:00", "02:30"), "2026-10-25 00:00", "2026-10-25 00:30"),  # the first 02:30
        (quiet("22:00", "02:30"), "2026-10-25 01:15", "2026-10-25 01:30"),  # 02:15 once more
        (quiet("22:00", "02:30"), "2026-10-25 01:30", None),
    ],
)
def test_quiet_hours_follow_the_clock_on_the_wall(hours: QuietHours, now: str, end: str | None) -> None:
    assert quiet_until(hours, now=utc(now)) == (utc(end) if end else None)


def test_quiet_hours_always_end_later_than_now_and_are_over_then() -> None:
    for start in (utc("2026-03-28 12:00"), utc("2026-10-24 12:00")):
        for hours in (
            quiet("22:00", "07:00"),
            quiet("01:30", "02:30"),
            quiet("02:10", "03:00"),
            quiet("23:00", "02:00"),
        ):
            for minute in range(0, 36 * 60, 7):
                now = start + timedelta(minutes=minute)
                end = quiet_until(hours, now=now)
                assert end is None or now < end <= now + timedelta(hours=24)
                assert end is None or end.second == 0


@pytest.mark.parametrize(
    ("at", "after", "due"),
    [
        ("08:00", "2026-11-29 06:59", "2026-11-29 07:00"),
        ("08:00", "2026-11-29 07:00", "2026-11-30 07:00"),
        ("08:00", "2026-03-28 07:00", "2026-03-29 06:00"),
        ("02:30", "2026-10-25 00:30", "2026-10-26 01:30"),  # the second 02:30 of that night is left out
    ],
)
def test_a_digest_comes_once_a_day_by_the_clock(at: str, after: str, due: str) -> None:
    assert next_digest(Digest(at=at, time_zone=BERLIN), after=utc(after)) == utc(due)


@pytest.mark.parametrize(
    ("attempts", "retry_after_s", "wait_s"),
    [
        (1, None, 30),
        (2, None, 120),
        (3, None, 600),
        (4, None, 3600),
        (9, None, 3600),
        (1, 5, 30),
        (1, 300, 300),
        (1, 1e300, 86_400),
    ],
)
def test_waits_grow_to_an_hour_and_a_longer_one_is_kept(attempts: int, retry_after_s: float, wait_s: int) -> None:
    assert next_try(NOW, attempts, retry_after_s, now=NOW) == NOW + timedelta(seconds=wait_s)


def test_after_three_days_there_is_no_other_try() -> None:
    assert next_try(NOW - timedelta(days=3), 80, None, now=NOW) is None


def unsent(number: int, wait_s: float, state: str = "waiting", **more: object) -> Unsent:
    values: dict[str, object] = {"is_escalation": False, "is_held": False, "attempts": 0, "made_at": NOW} | more
    values["attempts"] = values["attempts"] or int(state == "sending")
    due_at = NOW + timedelta(seconds=wait_s)
    return Unsent(id=number, state=MessageState(state), due_at=due_at, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("messages", "chosen"),
    [
        ([], None),
        ([unsent(1, 0), unsent(2, 0)], 1),
        ([unsent(1, 30, attempts=1), unsent(2, 0)], None),  # the first one is tried again before
        ([unsent(1, 60, "sending"), unsent(2, 0)], None),
        ([unsent(1, 0, "sending"), unsent(2, 0)], 1),  # whoever sent it has not come back
        ([unsent(1, 600, is_escalation=True), unsent(2, 0)], 2),
        ([unsent(1, 30, is_escalation=True, attempts=1), unsent(2, 0)], None),
        ([unsent(1, 600, is_held=True), unsent(2, 0)], 2),
        # Before the clock was put back by a month.
        ([unsent(1, MONTH_S), unsent(2, 0)], 1),
        ([unsent(1, MONTH_S, attempts=1), unsent(2, 0)], 1),
        ([unsent(1, MONTH_S, "sending"), unsent(2, 0)], 1),
        ([unsent(1, MONTH_S, is_escalation=True)], 1),
        ([unsent(1, MONTH_S, is_held=True)], 1),
    ],
)
def test_the_next_message_of_a_channel(messages: list[Unsent], chosen: int | None) -> None:
    found = next_of_channel(messages, now=NOW)
    assert (found.id if found else None) == chosen
