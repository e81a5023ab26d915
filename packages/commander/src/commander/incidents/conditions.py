"""The current conditions of all rigs in memory, and how an answer of a rule changes one.

They equal those of the database: after a failed write they are read again.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from commander.alert_rules.levels import Level
from commander.incidents.domain import (
    REOPENS_WITHIN,
    VALUE_MAX_LENGTH,
    Condition,
    ConditionKey,
    Hold,
    Phase,
    TimedPhase,
    next_phase,
)
from commander.readings.severity import Severity

KeyOfRig = tuple[str, int]
Slot = tuple[str, str]  # rule and device
OfRig = Mapping[Slot, Condition]
_NONE: OfRig = {}


@dataclass
class Changes:
    """The conditions that a round has changed.

    Of those that were updated, `worse` are more severe than before, and `back` had ended a short time ago.
    """

    new: list[Condition] = field(default_factory=list)
    updated: list[Condition] = field(default_factory=list)
    deleted: list[Condition] = field(default_factory=list)
    worse: list[Condition] = field(default_factory=list)
    back: list[Condition] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.new or self.updated or self.deleted)

    def rigs(self) -> set[KeyOfRig]:
        return {each.key[:2] for each in (*self.new, *self.updated, *self.deleted)}


class Answer(NamedTuple):
    """The answer of a rule for one device. `value` is for people, `began_at` counts if a condition begins with it."""

    level: Level
    value: str
    hold: Hold
    began_at: datetime


class CurrentConditions:
    """Conditions that are pending, firing or clearing, and those that ended a short time ago.

    A condition that comes back within ten minutes goes on in the same row. So a rig that flaps for hours has one row.
    """

    def __init__(self) -> None:
        self._by_rig: dict[KeyOfRig, dict[Slot, Condition]] = {}
        self._timed: dict[ConditionKey, Condition] = {}  # those with a due time
        self._apart: dict[ConditionKey, Condition] = {}  # those that are open and not in an incident
        self._ended: dict[ConditionKey, Condition] = {}  # the first to end first

    def load(self, conditions: Iterable[Condition], ended: Iterable[Condition] = ()) -> None:
        """Takes the conditions from the database. `ended` are those that ended a short time ago, oldest first."""
        self._by_rig, self._timed, self._apart = {}, {}, {}
        for each in conditions:
            self._add(each)
        self._ended = {each.key: each for each in ended}

    def __iter__(self) -> Iterator[Condition]:
        for of_rig in self._by_rig.values():
            yield from of_rig.values()

    def rigs(self) -> list[KeyOfRig]:
        """Returns the rigs with a condition."""
        return list(self._by_rig)

    def of_rig(self, key: KeyOfRig) -> OfRig:
        return self._by_rig.get(key, _NONE)

    def timed(self) -> list[Condition]:
        """Returns the conditions with a due time."""
        return list(self._timed.values())

    def due(self, now: datetime) -> set[KeyOfRig]:
        """Returns the rigs of which time alone may change a condition now."""
        return {key[:2] for key, each in self._timed.items() if each.due_at is not None and each.due_at <= now}

    def apart(self) -> list[Condition]:
        """Returns the open conditions that are in no incident: new ones, and those of rigs in maintenance."""
        return list(self._apart.values())

    def join(self, condition: Condition, incident_id: int | None) -> None:
        """Puts a condition into an incident, or out of one that is closed."""
        condition.incident_id = incident_id
        self._note(condition)

    def forget_ended(self, now: datetime) -> None:
        """Forgets the conditions that ended too long ago to come back. A later end is of a clock that was put back."""
        for key, each in list(self._ended.items()):
            if each.ended_at is None or abs(now - each.ended_at) > REOPENS_WITHIN:
                del self._ended[key]

    def move(self, key: ConditionKey, name: str, answer: Answer, changes: Changes, now: datetime) -> None:
        """Changes a condition by a rule's answer, or begins one. `name` is the rig's."""
        condition = self.of_rig(key[:2]).get(key[2:])
        before = TimedPhase(condition.phase, condition.due_at) if condition else None
        after = next_phase(before, answer.level, answer.hold, now)
        if condition is None:
            self._begin(key, name, answer, after, changes)
        elif after is None:
            self._forget(condition)
            changes.deleted.append(condition)
        elif _take(condition, answer, after, changes) or after != before:
            condition.phase, condition.due_at = after
            if after.phase is Phase.FIRING and before is not None and before.phase is Phase.PENDING:
                self._fire(condition, changes)
                return
            changes.updated.append(condition)
            self._note(condition)
            if after.phase is Phase.GONE:
                self._over(condition, now)

    def end(self, condition: Condition, changes: Changes, now: datetime, *, why: str = "") -> None:
        """Ends a condition whose rule, rig or device is no longer there. `why` is for people."""
        self._forget(condition)
        if condition.phase is Phase.PENDING:
            changes.deleted.append(condition)
            return
        condition.phase = Phase.GONE
        if why:
            condition.value = f"{condition.value[: VALUE_MAX_LENGTH - len(why) - 2]}, {why}"
        changes.updated.append(condition)
        self._over(condition, now)

    def _begin(self, key: ConditionKey, name: str, answer: Answer, after: TimedPhase | None, changes: Changes) -> None:
        severity = answer.level.severity
        if after is None or severity is None:
            return
        began = Condition(key, name, severity, after.phase, answer.value, answer.began_at, after.due_at)
        if after.phase is Phase.FIRING and self._come_back(began, changes):
            return
        self._add(began)
        changes.new.append(began)

    def _fire(self, condition: Condition, changes: Changes) -> None:
        """Takes a condition that was pending and fires now: by itself, or as the one that ended a short time ago."""
        if self._come_back(condition, changes):
            changes.deleted.append(condition)
            return
        changes.updated.append(condition)
        self._note(condition)

    def _come_back(self, condition: Condition, changes: Changes) -> bool:
        """Lets the condition that ended a short time ago go on instead of this one. Returns whether there was one."""
        earlier = self._ended.pop(condition.key, None)
        if earlier is None:
            return False
        is_worse = condition.severity is Severity.CRITICAL and earlier.severity is Severity.WARNING
        earlier.severity, earlier.value, earlier.name = condition.severity, condition.value, condition.name
        earlier.phase, earlier.due_at, earlier.ended_at = Phase.FIRING, None, None
        self._add(earlier)
        changes.updated.append(earlier)
        changes.back.append(earlier)
        if is_worse:
            changes.worse.append(earlier)
        return True

    def _over(self, condition: Condition, now: datetime) -> None:
        condition.ended_at, condition.due_at = now, None
        self._forget(condition)
        self._ended[condition.key] = condition

    def _add(self, condition: Condition) -> None:
        self._by_rig.setdefault(condition.key[:2], {})[condition.key[2:]] = condition
        self._note(condition)

    def _note(self, condition: Condition) -> None:
        """Keeps the lists of conditions with a due time and without an incident."""
        _keep(self._timed, condition, condition.due_at is not None)
        _keep(self._apart, condition, condition.is_open and condition.incident_id is None)

    def _forget(self, condition: Condition) -> None:
        self._timed.pop(condition.key, None)
        self._apart.pop(condition.key, None)
        of_rig = self._by_rig.get(condition.key[:2], {})
        of_rig.pop(condition.key[2:], None)
        if not of_rig:
            self._by_rig.pop(condition.key[:2], None)


def _keep(kept: dict[ConditionKey, Condition], condition: Condition, is_kept: bool) -> None:
    if is_kept:
        kept[condition.key] = condition
    else:
        kept.pop(condition.key, None)


def _take(condition: Condition, answer: Answer, after: TimedPhase, changes: Changes) -> bool:
    """Takes severity and value of an answer when a condition fires, and when it becomes worse later."""
    severity = answer.level.severity
    if after.phase is not Phase.FIRING or severity is None:
        return False
    fires = condition.phase is Phase.PENDING
    is_worse = severity is Severity.CRITICAL and condition.severity is Severity.WARNING
    if not (fires or is_worse):
        return False
    condition.severity, condition.value = severity, answer.value
    if is_worse and not fires:
        changes.worse.append(condition)
    return True
