"""A rule's answer for a device of a rig, and how limits make one."""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from protocol import units

from commander.alert_rules.domain import RuleLimits, RuleName
from commander.alert_rules.levels import Level
from commander.alert_rules.view import JudgedRig
from commander.readings.severity import Severity

WHOLE_RIG = ""


class Judgement(NamedTuple):
    """The answer of a rule for one device; an empty one is the whole rig. `value` is for people."""

    device: str
    level: Level
    value: str = ""


Judge = Callable[[JudgedRig, RuleLimits], Iterable[Judgement]]
GOOD = (Judgement(WHOLE_RIG, Level.GOOD),)
UNKNOWN: tuple[Judgement, ...] = ()


def rising(value: float, limits: RuleLimits, *, near: float = 0.0) -> Level:
    """Returns the level of a value that is bad from its limits on, and good `near` below the lowest of them."""
    if limits.critical is not None and value >= limits.critical:
        return Level.CRITICAL
    if limits.warning is not None and value >= limits.warning:
        return Level.WARNING
    lowest = lowest_of(limits)
    return Level.NEAR if lowest is not None and value > lowest - near else Level.GOOD


def lowest_of(limits: RuleLimits) -> float | None:
    warning, critical = limits.warning, limits.critical
    if warning is None or critical is None:
        return critical if warning is None else warning
    return warning if warning < critical else critical


def bad(limits: RuleLimits, value: str) -> tuple[Judgement, ...]:
    """The answer of a rule without limits that is broken."""
    level = Level.CRITICAL if limits.severity is Severity.CRITICAL else Level.WARNING
    return (Judgement(WHOLE_RIG, level, value),)


def fault(rule: RuleName) -> Judge:
    """Returns the judge of a rule that pages show as a fault of the newest log."""

    def judge(view: JudgedRig, limits: RuleLimits) -> Iterable[Judgement]:
        texts = [each.text for each in view.state.faults if each.rule == rule]
        if not texts:
            return GOOD
        return bad(limits, units.listed(texts, 1))

    return judge
