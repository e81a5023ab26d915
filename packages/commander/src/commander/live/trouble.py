"""The troubles of a rig now, for pages and scripts."""

from datetime import datetime
from typing import NamedTuple

import msgspec

from commander.live.rig_state import Health, RigState
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
    "asic_fault": RuleWords(Severity.CRITICAL, "with a fault of the device"),
    "rejected": RuleWords(Severity.WARNING, "with many rejected shares"),
    "playbook_failed": RuleWords(Severity.CRITICAL, "with a failed playbook"),
    "two_sentries": RuleWords(Severity.WARNING, "with two sentries"),
    "clock": RuleWords(Severity.WARNING, "with a wrong clock"),
}


class TroubleNow(NamedTuple):
    """One trouble of a rig. `since` is None if it is older than this program's memory."""

    rule: str
    text: str
    since: datetime | None

    @property
    def severity(self) -> Severity:
        return RULES[self.rule].severity


def troubles_of(state: RigState) -> list[TroubleNow]:
    """Returns all that is wrong with a rig, worst first. Of an offline rig only that counts."""
    if state.health is Health.OFFLINE:
        return [TroubleNow("offline", "Offline", state.reported_at)]
    found = [TroubleNow(fault.rule, fault.text, state.faults_since.get(fault.words)) for fault in state.faults]
    if state.two_sentries:
        found.append(TroubleNow("two_sentries", "Two sentries", state.two_sentries_since))
    if state.wrong_clock:
        found.append(TroubleNow("clock", "Wrong clock", state.wrong_clock_since))
    return found


def trouble_of(state: RigState) -> RigTrouble | None:
    """Returns the worst trouble; None without one. An open condition counts before what is wrong only just now."""
    if state.health is not Health.OFFLINE and state.conditions:
        condition = state.conditions[0]
        return RigTrouble(rule=condition.rule, severity=condition.severity, text=condition.text)
    worst = next(iter(troubles_of(state)), None)
    return worst and RigTrouble(rule=worst.rule, severity=worst.severity, text=worst.text)
