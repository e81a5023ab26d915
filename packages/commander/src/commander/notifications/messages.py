"""A message as a channel sends it, and its text."""

from datetime import datetime, timedelta

import msgspec

from commander.notifications.news import Event, News
from commander.readings.severity import Severity

_WORDS = {Severity.WARNING: "Warning", Severity.CRITICAL: "Critical"}
_LATE = timedelta(minutes=5)
_OF_EVENT = {
    Event.GROWN: "Growing",
    Event.REMINDER: "Still open",
    Event.CLOSED: "Over",
    Event.TEST: "Test",
    Event.SUMMARY: "Summary",
    Event.DIGEST: "The last 24 hours",
    Event.CHANNEL_OFF: "Channel switched off",
}


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """The text that people read, and the data that programs need.

    `heading` is a line of its own. `url` is the page of incidents. `incident_id` is 0 for a message about none, and
    `has_buttons` says whether somebody may answer it.
    """

    event: Event
    severity: Severity
    heading: str
    lines: tuple[str, ...]
    url: str
    incident_id: int
    incident: msgspec.Raw
    sent_at: datetime

    @property
    def has_buttons(self) -> bool:
        return self.incident_id > 0 and self.event in (Event.OPENED, Event.GROWN, Event.REMINDER)

    @property
    def is_urgent(self) -> bool:
        """Returns whether it may make a noise at night."""
        return self.severity is Severity.CRITICAL and self.event in (Event.OPENED, Event.GROWN, Event.REMINDER)


def message_of(news: News, *, public_url: str, sent_at: datetime) -> Message:
    """Returns the message; a late one has a line with the time of what happened."""
    is_late = news.incident_id > 0 and sent_at - news.at >= _LATE
    late = (f"This happened at {news.at:%Y-%m-%d %H:%M} UTC.",) if is_late else ()
    return Message(
        event=news.event,
        severity=news.severity,
        heading=f"{word_of(news)}: {news.title}",
        lines=(*news.lines, *late),
        url=f"{public_url}/incidents",
        incident_id=news.incident_id,
        incident=news.incident,
        sent_at=sent_at,
    )


def word_of(news: News) -> str:
    """Returns the first words of the heading, such as "Critical" or "Growing (critical)"."""
    word = _OF_EVENT.get(news.event, _WORDS[news.severity])
    return f"{word} ({news.severity})" if news.event in (Event.GROWN, Event.REMINDER) else word


def full_text(message: Message, *, most: int) -> str:
    """Returns heading, lines and address as plain text of at most so many characters; the address is never cut."""
    tail = f"\n\n{message.url}"
    return cut("\n".join([message.heading, *message.lines]), most - len(tail)) + tail


def body_text(message: Message, *, most: int) -> str:
    """Returns the lines without the heading, for services that have a title of their own."""
    return cut("\n".join(message.lines) or message.heading, most)


def cut(text: str, most: int) -> str:
    """Returns the beginning, with a … where something is missing. Lengths are in UTF-16 units, as services count."""
    if _length(text) <= most:
        return text
    while text and _length(text) > most - 1:
        text = text[: max(0, len(text) - max(1, (_length(text) - most + 1) // 2))]
    return text + "…"


def cut_bytes(text: str, most: int) -> str:
    """Returns the beginning in at most so many bytes of UTF-8."""
    encoded = text.encode()
    return text if len(encoded) <= most else encoded[: most - 3].decode("utf-8", "ignore") + "…"


def _length(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
