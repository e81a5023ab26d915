"""Decisions about the channels of a message and its time. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta

from commander.notifications.news import Event, News
from commander.problems import CommanderError, ErrorKind
from commander.readings.severity import Severity

CHANNELS_AT_MOST = 50
ClockTime = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", description="Hours and minutes: 22:00")]
ZoneName = Annotated[str, Meta(max_length=64, description="A time zone of the IANA database: Europe/Berlin")]


class ChannelNotFound(CommanderError):
    """There is no such channel."""

    kind = ErrorKind(404, "not_found", "Not found")


class QuietHours(msgspec.Struct, frozen=True, kw_only=True, rename={"since": "from"}, forbid_unknown_fields=True):
    """From one time of the day until another, by the clock of a time zone. `from` may be later than `until`."""

    since: ClockTime
    until: ClockTime
    time_zone: ZoneName = "UTC"


class Digest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The time of the day at which the day's digest is sent."""

    at: ClockTime
    time_zone: ZoneName = "UTC"


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """The messages that a channel wants, and their time.

    `select`: incidents with one of these rigs; an empty one means all incidents. `only_after_s`: only incidents that
    have not been acknowledged for so many seconds.
    """

    severities: tuple[Severity, ...] = (Severity.WARNING, Severity.CRITICAL)
    select: str = ""
    only_after_s: int = 0
    quiet: QuietHours | None = None
    digest: Digest | None = None


class MessageState(StrEnum):
    """The state of a message. `failed` was tried for days; `cancelled` is not needed any more."""

    WAITING = "waiting"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    CANCELLED = "cancelled"


class EarlierMessage(NamedTuple):
    """A message about the same incident on the same channel."""

    id: int
    state: MessageState
    is_escalation: bool
    event: Event = Event.OPENED


class MessagePlan(NamedTuple):
    """The outcome for one channel: a message that becomes due, or a change of one that still waits."""

    due_at: datetime | None = None
    is_escalation: bool = False
    replaced: int | None = None  # the message that says this now
    cancelled: Sequence[int] = ()


NOTHING = MessagePlan()


def plan(news: News, wishes: Wishes, earlier: Sequence[EarlierMessage], *, chosen: bool) -> MessagePlan:
    """Returns what a channel does with the news. `chosen`: its selection matches one of the rigs."""
    has_begun = any(_is_sent_or_will_be(each) for each in earlier)
    delayed = [each.id for each in earlier if _is_delayed(each)]
    if news.event is Event.CLOSED and delayed:
        return MessagePlan(cancelled=delayed)
    if news.event is Event.CLOSED and _ends_with_the_end(earlier):
        return NOTHING
    if news.event in (Event.CLOSED, Event.REMINDER):
        return MessagePlan(due_at=news.at) if has_begun else NOTHING
    if has_begun:
        return MessagePlan(due_at=news.at)
    if delayed:
        return MessagePlan(replaced=delayed[0])
    if not chosen or news.severity not in wishes.severities:
        return NOTHING
    wait_s = wishes.only_after_s if news.incident_id else 0  # only an incident can be acknowledged
    return MessagePlan(due_at=news.at + timedelta(seconds=wait_s), is_escalation=wait_s > 0)


def _ends_with_the_end(earlier: Sequence[EarlierMessage]) -> bool:
    """Returns whether the newest message said that it is over: nothing was said when it was opened again."""
    events = [each.event for each in earlier if _is_sent_or_will_be(each)]
    return bool(events) and events[-1] is Event.CLOSED


def _is_delayed(message: EarlierMessage) -> bool:
    return message.state is MessageState.WAITING and message.is_escalation


def _is_sent_or_will_be(message: EarlierMessage) -> bool:
    if message.state is MessageState.WAITING:
        return not message.is_escalation
    return message.state in (MessageState.SENDING, MessageState.SENT)
