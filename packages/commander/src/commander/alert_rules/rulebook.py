"""The alert rules in force, and those of one rig: of each kind of rule the newest one that matches."""

from collections.abc import Callable, Iterable, Mapping
from enum import IntEnum
from typing import NamedTuple

from msgspec.structs import replace

from commander.alert_rules.domain import AlertRule, BadAlertRule, RuleLimits, RuleName, Sensor
from commander.alert_rules.judgement import Judge, lowest_of
from commander.alert_rules.judging import JUDGES, own
from commander.live.rig_state import RigState
from commander.readings.faults import FAN_NEEDED_ABOVE_C
from commander.registry.kinds import RigKind
from commander.selections.compiled import Predicate, compiled
from commander.selections.domain import BadSelection
from commander.selections.parser import parse

SILENT_AFTER_S = 60.0  # after this, nothing is known of a rig except that it is silent
Slot = tuple[str, Sensor | None]
OnError = Callable[[int, str, Exception], None]  # with the rule's id, and the rig's name


class Basis(IntEnum):
    """The data that a rule needs. A rig without these data and without a condition can't break the rule."""

    SILENCE = 0
    FLAGS = 1  # of the report, not of the log: also of a rig that is silent
    GAVE_UP = 2
    FAULTS = 3
    FIGURES = 4


BASES = {
    RuleName.OFFLINE: Basis.SILENCE,
    RuleName.TWO_SENTRIES: Basis.FLAGS,
    RuleName.CLOCK: Basis.FLAGS,
    RuleName.SPOOL: Basis.FLAGS,
    RuleName.WATCHDOG_GAVE_UP: Basis.GAVE_UP,
    RuleName.NO_HASHRATE: Basis.FAULTS,
    RuleName.DEVICE_LOST: Basis.FAULTS,
    RuleName.ASIC_FAULT: Basis.FAULTS,
    RuleName.WALLET: Basis.FAULTS,
    RuleName.PLAYBOOK_FAILED: Basis.FAULTS,
    RuleName.DISK: Basis.FAULTS,
}


def _of_each_sensor(rule: AlertRule) -> list[AlertRule]:
    """Returns a rule about temperature without a sensor as one for each sensor: it is newer than theirs, and holds."""
    if rule.slot != (RuleName.TEMPERATURE, None):
        return [rule]
    return [rule._replace(limits=replace(rule.limits, sensor=sensor)) for sensor in Sensor]


class RuleInForce(NamedTuple):
    """A rule of a rig with its judge."""

    id: int
    rule: str
    limits: RuleLimits
    judge: Judge
    basis: Basis


class RulesOfRig:
    """The rules of one rig, in a form that is quick to go through. Many rigs share one object."""

    def __init__(self, rules: Mapping[Slot, AlertRule], kind: RigKind) -> None:
        self.slots = frozenset(rules)
        self.limits = {rule: each.limits for (rule, _), each in rules.items()}
        self.in_force = [
            RuleInForce(each.id, rule, each.limits, JUDGES.get(rule) or own(rule), _basis(each.limits, kind))
            for (rule, _), each in rules.items()
            if rule != RuleName.COMMANDER
        ]


def _basis(limits: RuleLimits, kind: RigKind) -> Basis:
    """Returns the data that a rule needs.

    A card's fan that stands still above 60 °C is a fault, so a rule with this limit or more needs only the faults.
    """
    if kind is RigKind.ASIC and (limits.allowed or limits.rule in (RuleName.FAN, RuleName.DEVICE_LOST)):
        return Basis.FIGURES  # it may have fewer parts than usual, or another pool
    if limits.rule == RuleName.FAN:
        limit_c = limits.warning if limits.critical is None else limits.critical
        return Basis.FAULTS if (limit_c or 0.0) >= FAN_NEEDED_ABOVE_C else Basis.FIGURES
    return next((basis for rule, basis in BASES.items() if rule == limits.rule), Basis.FIGURES)


def why_unreadable(rule: AlertRule) -> str:
    """Returns why this version can't read a rule that another one has stored, for people; empty: it can."""
    if rule.unknown:
        return rule.unknown
    try:
        selection = parse(rule.limits.select)
        for kind in RigKind:
            compiled(selection, kind)
        if rule.limits.rule not in set(RuleName):
            own(rule.limits.rule)
    except (BadAlertRule, BadSelection) as error:
        return str(error)
    return ""


class Rulebook:
    """The rules for one kind of rig. Rules that are switched off are left out; the others must be readable."""

    def __init__(self, rules: Iterable[AlertRule], kind: RigKind) -> None:
        self._kind = kind
        self._for_all: dict[Slot, AlertRule] = {}
        self._for_some: list[tuple[Predicate, AlertRule]] = []
        self._ready: dict[tuple[int, ...], RulesOfRig] = {}
        self.shortest_silence_s = float("inf")  # after which a rule may be broken
        for rule in sorted(rules, key=lambda each: each.id):
            for each in _of_each_sensor(rule) if rule.limits.enabled else ():
                self._add(each)

    def _add(self, rule: AlertRule) -> None:
        selection = parse(rule.limits.select)
        matches = compiled(selection, self._kind)
        bound_s = lowest_of(rule.limits)
        if rule.limits.rule == RuleName.OFFLINE and bound_s is not None:
            self.shortest_silence_s = min(bound_s, self.shortest_silence_s)
        if selection.terms:
            self._for_some.append((matches, rule))
        else:
            self._for_all[rule.slot] = rule
            self._for_some = [each for each in self._for_some if each[1].slot != rule.slot]

    def of(self, state: RigState, on_error: OnError) -> RulesOfRig:
        """Returns the rules of one rig. Rigs with the same rules share one object.

        `on_error` is called for a rule whose selection can't be evaluated; the rule is left out.
        """
        own_rules = self._matching(state, on_error) if self._for_some else []
        key = tuple([rule.id for rule in own_rules])
        ready = self._ready.get(key)
        if ready is None:
            rules = {**self._for_all, **{rule.slot: rule for rule in own_rules}}
            ready = self._ready[key] = RulesOfRig(rules, self._kind)
        return ready

    def _matching(self, state: RigState, on_error: OnError) -> list[AlertRule]:
        found = []
        for matches, rule in self._for_some:
            try:
                if matches(state):
                    found.append(rule)
            except Exception as error:  # noqa: BLE001 - the other rules and rigs must not wait for this one
                on_error(rule.id, state.name, error)
        return found
