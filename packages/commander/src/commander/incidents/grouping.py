"""Conditions become incidents, and incidents become messages. Pure; time is an argument.

1. A condition that fires joins the newest open incident of its rule. Without one it opens a new one.
2. The opening is sent after the group wait, so that all that fails at once is in one message.
3. Growth is sent every five minutes at most.
4. A reminder is sent every four hours, until somebody acknowledges. A growth starts the reminders again.
5. An incident without a firing condition closes. It is held open if it has closed before and was opened again.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum

from commander.incidents.domain import Incident
from commander.readings.severity import Severity

JOINS_WITHIN = timedelta(hours=1)  # after the newest condition joined; later, a new incident is opened
GROWTH_EVERY = timedelta(minutes=5)
REMIND_EVERY = timedelta(hours=4)
HOLD_AFTER_REOPENING_S = 600.0


class Occasion(StrEnum):
    """A change of an incident that causes a message, or closes it."""

    OPENED = "opened"
    GROWN = "grown"
    REMINDER = "reminder"
    CLOSED = "closed"
    CLOSED_UNSENT = "closed_unsent"  # no message about it was sent


def incident_to_join(rule: str, incidents: Iterable[Incident], now: datetime) -> Incident | None:
    """Returns the newest open incident of a rule that still takes conditions."""
    open_ones = [
        each
        for each in incidents
        if each.rule == rule and each.closed_at is None and now - each.joined_at <= JOINS_WITHIN
    ]
    return max(open_ones, key=lambda each: each.joined_at, default=None)


def new_incident(rule: str, severity: Severity, group_wait: timedelta, now: datetime) -> Incident:
    return Incident(rule=rule, severity=severity, title="", opened_at=now, joined_at=now, message_at=now + group_wait)


def joined(incident: Incident, severity: Severity, now: datetime) -> None:
    """Notes that a condition has joined, or that one has become worse."""
    incident.joined_at = now
    incident.close_at = None
    incident.severity = worse_of(incident.severity, severity)
    if incident.step and incident.message_at is None:
        incident.message_at = max(now, (incident.sent_at or now) + GROWTH_EVERY)


def reopened(incident: Incident, severity: Severity, group_wait: timedelta, now: datetime) -> None:
    """Opens a closed incident again: a condition has come back. Its opening waits if no message about it was sent."""
    incident.closed_at = None
    incident.hold_s = HOLD_AFTER_REOPENING_S
    if not incident.step:
        incident.message_at = now + group_wait
    joined(incident, severity, now)


def returned(incident: Incident, severity: Severity) -> None:
    """Notes that a condition of an open incident has come back. It was in its messages before: that is no growth."""
    incident.close_at = None
    incident.severity = worse_of(incident.severity, severity)


def worse_of(first: Severity, second: Severity) -> Severity:
    return Severity.CRITICAL if Severity.CRITICAL in (first, second) else Severity.WARNING


def is_muted(incident: Incident, now: datetime) -> bool:
    return incident.muted_until is not None and now < incident.muted_until


def next_occasion(incident: Incident, *, is_failing: bool, now: datetime) -> Occasion | None:
    """Returns the occasion that is due now. `is_failing`: at least one of its conditions is open.

    `close_at` is set by `ended` when the last condition is over. A mute holds back everything but the closing.
    """
    if not is_failing:
        is_over = incident.close_at is not None and now >= incident.close_at
        return (Occasion.CLOSED if incident.step else Occasion.CLOSED_UNSENT) if is_over else None
    if is_muted(incident, now):
        return None
    if incident.message_at is not None and now >= incident.message_at:
        return Occasion.GROWN if incident.step else Occasion.OPENED
    if incident.step and incident.remind_at is not None and now >= incident.remind_at:
        return Occasion.REMINDER
    return None


def ended(incident: Incident, now: datetime) -> None:
    """Notes that the last condition of the incident is over."""
    incident.close_at = now + timedelta(seconds=incident.hold_s)


def carry_out(incident: Incident, occasion: Occasion, now: datetime) -> None:
    """Updates the incident's times and its number of messages for the occasion."""
    if occasion in (Occasion.CLOSED, Occasion.CLOSED_UNSENT):
        incident.closed_at, incident.close_at = now, None
        incident.message_at = incident.remind_at = None
    else:
        incident.message_at = None
        incident.remind_at = now + REMIND_EVERY
    if occasion is not Occasion.CLOSED_UNSENT:
        incident.step += 1
        incident.sent_at = now


def shifted(incident: Incident, jump: timedelta) -> None:
    """Moves due times by as much as somebody has set the clock."""
    for name in ("message_at", "remind_at", "close_at", "sent_at", "muted_until", "joined_at"):
        if (moment := getattr(incident, name)) is not None:
            setattr(incident, name, moment + jump)
