"""For how long a rule must be broken before its condition fires, and kept before it is over. Pure."""

from datetime import datetime, timedelta

from commander.alert_rules.domain import RuleLimits, RuleName
from commander.alert_rules.rulebook import RulesOfRig
from commander.alert_rules.view import JudgedRig
from commander.incidents.conditions import OfRig
from commander.incidents.domain import Hold, Phase

UNKNOWN_FOR_S = 120.0  # after that, a wait begins again
OF_SILENT = frozenset({RuleName.OFFLINE, RuleName.TWO_SENTRIES, RuleName.CLOCK, RuleName.SPOOL})


def hold_of(limits: RuleLimits) -> Hold:
    return Hold(timedelta(seconds=limits.for_s), timedelta(seconds=limits.clear_for_s))


def begin_waits_again(view: JudgedRig, current: OfRig, rules: RulesOfRig) -> None:
    """Starts the waits of a rig's conditions again if nothing was known of the rig for a while.

    A restart of the commander does not start them again.
    """
    memory = view.memory
    known_s, memory.known_s = memory.known_s, view.now_s
    if not current or known_s is None or view.now_s - known_s <= UNKNOWN_FOR_S:
        return
    for (rule, _), condition in current.items():
        limits = rules.limits.get(rule)
        if limits is not None and condition.due_at is not None and rule not in OF_SILENT:
            hold = hold_of(limits)
            condition.due_at = view.now + (hold.begin if condition.phase is Phase.PENDING else hold.clear)


def began_at(rule: str, view: JudgedRig) -> datetime:
    """Returns since when a rule is broken: a silent rig since its last report."""
    reported_at = view.state.reported_at
    return min(reported_at, view.now) if rule == RuleName.OFFLINE and reported_at is not None else view.now
