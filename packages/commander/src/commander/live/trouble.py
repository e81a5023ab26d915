"""The troubles of a rig now, for pages and scripts."""

from datetime import datetime
from typing import NamedTuple

import msgspec

from commander.live.rig_state import Health, OpenCondition, RigState
from commander.readings.severity import Severity


class RigTrouble(msgspec.Struct, frozen=True, kw_only=True):
    """A fault: `rule` is the alert rule that the rig breaks, `text` is for people."""

    rule: str
    severity: Severity
    text: str


class RuleWords(NamedTuple):
    """The severity of a rule, and the words after a number of rigs: "4 too hot"."""

    severity: Severity
    rigs: str


RULES = {  # worst first
    "offline": RuleWords(Severity.CRITICAL, "offline"),
    "wallet": RuleWords(Severity.CRITICAL, "with another wallet or pool than their playbook"),
    "no_hashrate": RuleWords(Severity.CRITICAL, "not mining"),
    "device_lost": RuleWords(Severity.CRITICAL, "with a lost card or board"),
    "temperature": RuleWords(Severity.CRITICAL, "too hot"),
    "fan": RuleWords(Severity.CRITICAL, "with a fan that stands still"),
    "hashrate_low": RuleWords(Severity.WARNING, "with a low hashrate"),
    "no_shares": RuleWords(Severity.CRITICAL, "without accepted shares"),
    "asic_fault": RuleWords(Severity.CRITICAL, "with a fault of the device"),
    "rejected": RuleWords(Severity.WARNING, "with many rejected shares"),
    "playbook_failed": RuleWords(Severity.CRITICAL, "with a failed playbook"),
    "watchdog_gave_up": RuleWords(Severity.CRITICAL, "with a watchdog that gave up"),
    "power": RuleWords(Severity.WARNING, "with more power than usual"),
    "two_sentries": RuleWords(Severity.WARNING, "with two sentries"),
    "clock": RuleWords(Severity.WARNING, "with a wrong clock"),
    "spool": RuleWords(Severity.WARNING, "with late logs"),
    "disk": RuleWords(Severity.WARNING, "with a problem of the disk"),
}
_ORDER = {rule: place for place, rule in enumerate(RULES)}


def words_of(rule: str) -> RuleWords:
    """Returns the words of a rule, also of one of the operator's own, such as `power<100`."""
    return RULES.get(rule) or RuleWords(Severity.WARNING, f"with {rule}")


def order_of(rule: str) -> int:
    """Returns the place of a rule among all, the worst first; the operator's own come last."""
    return _ORDER.get(rule, len(_ORDER))


class TroubleNow(NamedTuple):
    """One trouble of a rig. `since` is None if it is older than this program's memory."""

    rule: str
    text: str
    since: datetime | None
    severity: Severity


def troubles_of(state: RigState) -> list[TroubleNow]:
    """Returns all that is wrong with a rig: its faults first, then other rules that it breaks for too long.

    An offline rig has only the trouble that it is offline.
    """
    if state.health is Health.OFFLINE:
        return [_trouble("offline", "Offline", state.reported_at, state)]
    if not (state.faults or state.conditions or state.two_sentries or state.wrong_clock):
        return []  # most rigs have none, and pages ask for all rigs
    found = [_trouble(fault.rule, fault.text, state.faults_since.get(fault.words), state) for fault in state.faults]
    if state.two_sentries:
        found.append(_trouble("two_sentries", "Two sentries", state.two_sentries_since, state))
    if state.wrong_clock:
        found.append(_trouble("clock", "Wrong clock", state.wrong_clock_since, state))
    found += [TroubleNow(each.rule, each.text, each.since, each.severity) for each in conditions_beside(state)]
    return found


def _trouble(rule: str, text: str, since: datetime | None, state: RigState) -> TroubleNow:
    """Returns a trouble; the time since when is known from its open condition even after a restart."""
    if since is None:
        since = next((each.since for each in state.conditions if each.rule == rule), None)
    return TroubleNow(rule, text, since, RULES[rule].severity)


def conditions_beside(state: RigState) -> list[OpenCondition]:
    """Returns the open conditions that no fault shows, without `offline`: the rig reports again."""
    if not state.conditions:
        return []
    shown = {"offline", *(fault.rule for fault in state.faults)}
    if state.two_sentries:
        shown.add("two_sentries")
    if state.wrong_clock:
        shown.add("clock")
    return [each for each in state.conditions if each.rule not in shown]


def trouble_of(state: RigState) -> RigTrouble | None:
    """Returns the worst trouble; None without one. An open condition comes before a fault that has just begun."""
    if state.health is not Health.OFFLINE and state.conditions:
        condition = state.conditions[0]
        return RigTrouble(rule=condition.rule, severity=condition.severity, text=condition.text)
    worst = next(iter(troubles_of(state)), None)
    return worst and RigTrouble(rule=worst.rule, severity=worst.severity, text=worst.text)
