"""Conditions and incidents, and the phases of a condition. Pure; time is an argument.

A condition is one rule that one device of one rig breaks. Its phases:

    none → pending → firing → clearing → gone

The end of a wait is stored as `due_at`, so a restart does not change it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple
from zlib import crc32

import msgspec

from commander.alert_rules.levels import Level
from commander.problems import CommanderError, ErrorKind
from commander.readings.severity import Severity

DEVICE_MAX_LENGTH = 64
VALUE_MAX_LENGTH = 128
REOPENS_WITHIN = timedelta(minutes=10)  # a condition or an incident that comes back so soon is the same one
COMMANDER = "commander"  # the kind of conditions of the commander itself


class IncidentNotFound(CommanderError):
    """There is no such incident."""

    kind = ErrorKind(404, "incident_not_found", "No such incident")


class IncidentClosed(CommanderError):
    """A closed incident is neither acknowledged nor muted."""

    kind = ErrorKind(409, "incident_closed", "Incident closed")


class Phase(StrEnum):
    """The phase of a condition; `gone` is the end of one that has fired."""

    PENDING = "pending"
    FIRING = "firing"
    CLEARING = "clearing"
    GONE = "gone"


OPEN_PHASES = (Phase.FIRING, Phase.CLEARING)


class Hold(NamedTuple):
    """For how long a rule must be broken before it fires, and kept before it is over."""

    begin: timedelta
    clear: timedelta


class TimedPhase(NamedTuple):
    """A phase, and the time at which it ends. None for `due_at`: time alone does not end it."""

    phase: Phase
    due_at: datetime | None = None


def next_phase(before: TimedPhase | None, level: Level, hold: Hold, now: datetime) -> TimedPhase | None:
    """Returns the phase of a condition after a rule's answer; None: there is no condition, or no longer a pending one.

    A due time that is more than a whole wait ahead was set before the clock was put back: the wait begins again.
    """
    if level is Level.UNKNOWN:
        return before
    is_bad = level.severity is not None
    if before is None:
        return _begun(hold, now) if is_bad else None
    match before.phase:
        case Phase.PENDING:
            return _pending(before, hold, now) if is_bad else None
        case Phase.FIRING:
            return _clearing(TimedPhase(Phase.CLEARING, now + hold.clear), hold, now) if level is Level.GOOD else before
        case Phase.CLEARING:
            return _clearing(before, hold, now) if level is Level.GOOD else TimedPhase(Phase.FIRING)
        case _:
            return before


def _begun(hold: Hold, now: datetime) -> TimedPhase:
    return TimedPhase(Phase.PENDING, now + hold.begin) if hold.begin else TimedPhase(Phase.FIRING)


def _pending(before: TimedPhase, hold: Hold, now: datetime) -> TimedPhase:
    due_at = min(before.due_at or now, now + hold.begin)
    return TimedPhase(Phase.FIRING) if now >= due_at else TimedPhase(Phase.PENDING, due_at)


def _clearing(before: TimedPhase, hold: Hold, now: datetime) -> TimedPhase:
    due_at = min(before.due_at or now, now + hold.clear)
    return TimedPhase(Phase.GONE) if now >= due_at else TimedPhase(Phase.CLEARING, due_at)


class ConditionKey(NamedTuple):
    """Names an open condition. `device` is empty for the whole rig."""

    kind: str
    rig_id: int
    rule: str
    device: str


def kept_device(device: str) -> str:
    """Returns a device's name as a row can keep it: a sentry may report any text. Its end says which sensor it is."""
    if len(device) <= DEVICE_MAX_LENGTH and device.isprintable():
        return device
    printable = "".join(character for character in device if character.isprintable())
    return f"{printable[:40]} {crc32(device.encode()):08x} {printable[-12:]}"


@dataclass(slots=True)
class Condition:
    """A condition as its row has it. `id` is 0 before it is written, `incident_id` None before it is in an incident."""

    key: ConditionKey
    name: str
    severity: Severity
    phase: Phase
    value: str
    began_at: datetime
    due_at: datetime | None = None
    ended_at: datetime | None = None
    incident_id: int | None = None
    id: int = 0

    @property
    def is_open(self) -> bool:
        return self.phase in OPEN_PHASES


class InCommon(msgspec.Struct, frozen=True, kw_only=True):
    """A group that most of the failing rigs are in, with its counter-evidence.

    `failing` of the group's `members` fail, and `others_failing` of the `others`, which are all rigs outside of it.
    """

    group: str
    failing: int
    members: int
    others_failing: int
    others: int

    @property
    def text(self) -> str:
        """For people: "tag switch:sw-3 (38 of its 40 rigs; 0 of 210 others)"."""
        inside = f"{self.failing} of its {self.members} rigs"
        return f"{self.group} ({inside}; {self.others_failing} of {self.others} others)"


@dataclass(slots=True)
class Incident:
    """An incident as its row has it. `step` is the number of messages so far; `id` is 0 before it is written."""

    rule: str
    severity: Severity
    title: str
    opened_at: datetime
    joined_at: datetime
    message_at: datetime | None = None
    closed_at: datetime | None = None
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None
    muted_until: datetime | None = None
    in_common: InCommon | None = None
    step: int = 0
    sent_at: datetime | None = None
    remind_at: datetime | None = None
    hold_s: float = 0.0
    close_at: datetime | None = None
    id: int = 0
