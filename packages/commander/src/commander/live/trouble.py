"""The worst thing that is wrong with a rig now, for scripts."""

import msgspec

from commander.live.rig_state import Health, RigState
from commander.readings.severity import Severity


class RigTrouble(msgspec.Struct, frozen=True, kw_only=True):
    """A fault: `rule` is the alert rule that the rig breaks, `text` is for people."""

    rule: str
    severity: Severity
    text: str


def trouble_of(state: RigState) -> RigTrouble | None:
    """Returns the worst trouble; None without one. Of an offline rig only that counts."""
    if state.health is Health.OFFLINE:
        return RigTrouble(rule="offline", severity=Severity.CRITICAL, text="Offline")
    if state.faults:
        worst = state.faults[0]
        severity = Severity.WARNING if worst.rule == "rejected" else Severity.CRITICAL
        return RigTrouble(rule=worst.rule, severity=severity, text=worst.text)
    if state.two_sentries:
        return RigTrouble(rule="two_sentries", severity=Severity.WARNING, text="Two sentries")
    if state.wrong_clock:
        return RigTrouble(rule="clock", severity=Severity.WARNING, text="Wrong clock")
    return None
