"""Times of messages. Pure; time is an argument."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from commander.notifications.domain import Digest, MessageState, QuietHours

BACK_OFF = (timedelta(seconds=30), timedelta(minutes=2), timedelta(minutes=10), timedelta(hours=1))
TRIED_FOR = timedelta(days=3)
LONGEST_WAIT = timedelta(days=2)  # longer than anything waits: quiet hours, escalations, Retry-After
MINUTE = timedelta(minutes=1)


class Unsent(NamedTuple):
    """A message that is not sent yet. While it is being sent, `due_at` is when another commander may take it."""

    id: int
    state: MessageState
    is_escalation: bool
    is_held: bool
    attempts: int
    due_at: datetime
    made_at: datetime


def next_of_channel(messages: Sequence[Unsent], *, now: datetime) -> Unsent | None:
    """Returns the message that a channel sends next, of its messages in their order; None: nothing yet.

    One that is being sent, or is to be tried again, stops those behind it. One that waits for an acknowledgement, or is
    held by quiet hours, does not.
    """
    for message in messages:
        if is_due(message, now=now):
            return message
        if not message.is_held and not (message.is_escalation and not message.attempts):
            return None
    return None


def is_due(message: Unsent, *, now: datetime) -> bool:
    """Returns whether a message may be sent, or its sender has not come back.

    A time that is too far away was set before the clock was put back. A message that nothing delays is due in any case.
    """
    is_fresh = not (message.attempts or message.is_held or message.is_escalation)
    return is_fresh or message.due_at <= now or message.due_at > now + LONGEST_WAIT


def next_try(made_at: datetime, attempts: int, retry_after_s: float | None, *, now: datetime) -> datetime | None:
    """Returns when to try again after so many failed attempts; None: no more."""
    if now - made_at >= TRIED_FOR:
        return None
    wait = BACK_OFF[min(max(attempts, 1), len(BACK_OFF)) - 1]
    return now + max(wait, min(timedelta(days=1), timedelta(seconds=min(retry_after_s or 0, 1e6))))


def quiet_until(quiet: QuietHours, *, now: datetime) -> datetime | None:
    """Returns when the quiet hours that hold now end, in UTC; None if they do not hold now."""
    zone = ZoneInfo(quiet.time_zone)
    if not _is_quiet(quiet, now.astimezone(zone)):
        return None
    local, until = now.astimezone(zone), time.fromisoformat(quiet.until)
    day = local.date() if local.time() < until else local.date() + timedelta(days=1)
    end = _moment(day, until, zone)
    if end <= now:  # the hour comes twice, in autumn, and this is the second one
        end = _moment(day, until, zone, fold=1)
    if end.astimezone(zone).time() != until:  # the hour is left out, in spring: they end with the change
        end = _first_minute_after(quiet, zone, _moment(day, until, zone, fold=1), end)
    return end


def next_digest(digest: Digest, *, after: datetime) -> datetime:
    """Returns the next time of the digest, in UTC."""
    zone = ZoneInfo(digest.time_zone)
    day, at = after.astimezone(zone).date(), time.fromisoformat(digest.at)
    today = _moment(day, at, zone)
    return today if today > after else _moment(day + timedelta(days=1), at, zone)


def _is_quiet(quiet: QuietHours, local: datetime) -> bool:
    since, until, clock = time.fromisoformat(quiet.since), time.fromisoformat(quiet.until), local.time()
    return since <= clock < until if since <= until else clock >= since or clock < until


def _moment(day: date, clock: time, zone: ZoneInfo, *, fold: int = 0) -> datetime:
    return datetime.combine(day, clock, tzinfo=zone).replace(fold=fold).astimezone(UTC)


def _first_minute_after(quiet: QuietHours, zone: ZoneInfo, since: datetime, until: datetime) -> datetime:
    moment = since
    while moment < until and _is_quiet(quiet, moment.astimezone(zone)):
        moment += MINUTE
    return moment
