"""The alert rules in force, and those of one rig: of each kind of rule the newest one that matches."""

import logging
from collections.abc import Iterable, Mapping

from commander.alert_rules.domain import AlertRule, Sensor
from commander.live.rig_state import RigState
from commander.registry.kinds import RigKind
from commander.selections.compiled import Predicate, compiled
from commander.selections.domain import BadSelection
from commander.selections.parser import parse

log = logging.getLogger(__name__)
Slot = tuple[str, Sensor | None]
RulesOfRig = Mapping[Slot, AlertRule]


class Rulebook:
    """The rules for one kind of rig. Rules that are switched off are left out."""

    def __init__(self, rules: Iterable[AlertRule], kind: RigKind) -> None:
        self._for_all: dict[Slot, AlertRule] = {}
        self._for_some: list[tuple[Predicate, AlertRule]] = []
        for rule in sorted(rules, key=lambda each: each.id):
            if rule.limits.enabled:
                self._add(rule, kind)

    def _add(self, rule: AlertRule, kind: RigKind) -> None:
        try:
            selection = parse(rule.limits.select)
            matches = compiled(selection, kind)
        except BadSelection as error:  # another version has stored it
            log.warning("alert_rule_skipped %d %s", rule.id, error)
            return
        if selection.terms:
            self._for_some.append((matches, rule))
        else:
            self._for_all[rule.slot] = rule
            self._for_some = [each for each in self._for_some if each[1].slot != rule.slot]

    def of(self, state: RigState) -> RulesOfRig:
        """Returns the rules of one rig. Nearly all farms have the same for all rigs, and pay nothing."""
        if not self._for_some:
            return self._for_all
        own = {rule.slot: rule for matches, rule in self._for_some if matches(state)}
        return {**self._for_all, **own} if own else self._for_all

    def slots(self) -> set[Slot]:
        """Returns the slots that have a rule for any rig."""
        return {*self._for_all, *(rule.slot for _, rule in self._for_some)}
