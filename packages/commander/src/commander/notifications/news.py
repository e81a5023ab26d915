"""A piece of news about an incident, as the outbox takes it."""

from datetime import datetime
from enum import StrEnum

import msgspec

from commander.readings.severity import Severity
from commander.registry.kinds import RigKind


class Event(StrEnum):
    """The occasion of a message.

    The last three are the commander's own: a summary of messages that waited, the day's digest, and a channel that
    was switched off because it failed.
    """

    OPENED = "opened"
    GROWN = "grown"
    REMINDER = "reminder"
    CLOSED = "closed"
    TEST = "test"
    SUMMARY = "summary"
    DIGEST = "digest"
    CHANNEL_OFF = "channel_off"


class News(msgspec.Struct, frozen=True, kw_only=True):
    """A message about an incident, before its channels are chosen.

    `step` grows with each message about the incident, from 1 on; with the incident it names the message. `title` is a
    sentence without its full stop ("38 rigs stopped reporting within 20 s"), `lines` are further sentences in plain
    text. `rigs` are those that the incident concerns, for the channels' selections; empty: the commander itself.
    `incident` is the incident's JSON as in `GET /api/v1/incidents`.
    """

    incident_id: int
    step: int
    event: Event
    severity: Severity
    title: str
    lines: tuple[str, ...]
    rigs: tuple[tuple[RigKind, int], ...]
    incident: msgspec.Raw
    at: datetime
