"""The current conditions of all rigs in memory, and how an answer of a rule changes one.

They equal those of the database: after a failed write they are read again.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from commander.alert_rules.levels import Level
from commander.incidents.domain import Condition, ConditionKey, Hold, Phase, TimedPhase, next_phase
from commander.readings.severity import Severity

KeyOfRig = tuple[str, int]
Slot = tuple[str, str]  # rule and device
OfRig = Mapping[Slot, Condition]
_NONE: OfRig = {}


@dataclass
class Changes:
    """The conditions that a round has changed. `worse` are some of those that were updated."""

    new: list[Condition] = field(default_factory=list)
    updated: list[Condition] = field(default_factory=list)
    deleted: list[Condition] = field(default_factory=list)
    worse: list[Condition] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.new or self.updated or self.deleted)


class Answer(NamedTuple):
    """The answer of a rule for one device. `value` is for people, `began_at` counts if a condition begins with it."""

    level: Level
    value: str
    hold: Hold
    began_at: datetime


class CurrentConditions:
    """Conditions that are pending, firing or clearing."""

    def __init__(self) -> None:
        self._by_rig: dict[KeyOfRig, dict[Slot, Condition]] = {}

    def load(self, conditions: Iterable[Condition]) -> None:
        """Takes the conditions from the database."""
        self._by_rig = {}
        for each in conditions:
            self._add(each)

    def __iter__(self) -> Iterator[Condition]:
        for of_rig in self._by_rig.values():
            yield from of_rig.values()

    def rigs(self) -> list[KeyOfRig]:
        """Returns the rigs with a condition."""
        return list(self._by_rig)

    def of_rig(self, key: KeyOfRig) -> OfRig:
        return self._by_rig.get(key, _NONE)

    def move(self, key: ConditionKey, name: str, answer: Answer, changes: Changes, now: datetime) -> None:
        """Changes a condition by a rule's answer, or begins one. `name` is the rig's."""
        condition = self.of_rig(key[:2]).get(key[2:])
        before = TimedPhase(condition.phase, condition.due_at) if condition else None
        after = next_phase(before, answer.level, answer.hold, now)
        severity = answer.level.severity
        if condition is None:
            if after is not None and severity is not None:
                began = Condition(key, name, severity, after.phase, answer.value, answer.began_at, after.due_at)
                self._add(began)
                changes.new.append(began)
        elif after is None:
            self._forget(condition)
            changes.deleted.append(condition)
        elif _take(condition, answer, after, changes) or after != before:
            condition.phase, condition.due_at = after
            changes.updated.append(condition)
            if after.phase is Phase.GONE:
                condition.ended_at, condition.due_at = now, None
                self._forget(condition)

    def end(self, condition: Condition, changes: Changes, now: datetime) -> None:
        """Ends a condition whose rule or rig is no longer there."""
        self._forget(condition)
        if condition.phase is Phase.PENDING:
            changes.deleted.append(condition)
            return
        condition.phase, condition.due_at, condition.ended_at = Phase.GONE, None, now
        changes.updated.append(condition)

    def _add(self, condition: Condition) -> None:
        self._by_rig.setdefault(condition.key[:2], {})[condition.key[2:]] = condition

    def _forget(self, condition: Condition) -> None:
        of_rig = self._by_rig.get(condition.key[:2], {})
        of_rig.pop(condition.key[2:], None)
        if not of_rig:
            self._by_rig.pop(condition.key[:2], None)


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
