"""The line above an index page's rows that says how many rigs are in which trouble."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from protocol import units

from commander.live.rig_state import Health, RigState
from commander.registry.kinds import RigKind
from commander.rig_pages.listing import IndexQuery, Sort
from commander.rig_pages.navigation import counted

WORDS = {
    "wallet": "with another wallet or pool than their playbook",
    "no_hashrate": "not mining",
    "device_lost": "with a lost card or board",
    "temperature": "too hot",
    "fan": "with a fan that stands still",
    "asic_fault": "with a fault of the device",
    "rejected": "with many rejected shares",
    "playbook_failed": "with a failed playbook",
    "two_sentries": "with two sentries",
    "clock": "with a wrong clock",
}
WARNINGS = ("rejected", "two_sentries", "clock")
REPORTING = (Health.ONLINE, Health.STALE)


class Trouble(NamedTuple):
    """A link to the rigs that are in one trouble; without `href` it is the good news that none is."""

    text: str
    tone: str
    href: str = ""


def troubles(rigs: Iterable[RigState], kind: RigKind) -> list[Trouble]:
    """Returns what is wrong, worst first. Empty: nothing is known to be wrong, but not every rig reports."""
    states = list(rigs)
    healths = Counter([state.health for state in states])
    rules = Counter(rule for state in states if state.health in REPORTING for rule in _rules_of(state))
    found = [_offline(healths[Health.OFFLINE], kind)] if healths[Health.OFFLINE] else []
    found += [_of_rule(rule, rules[rule], kind) for rule in WORDS if rules[rule]]
    if not found and states and healths[Health.ONLINE] == len(states):
        return [Trouble(f"{counted(len(states), kind)}, nothing known to be wrong", "good")]
    return found


def _rules_of(state: RigState) -> set[str]:
    rules = {fault.rule for fault in state.faults} if state.faults else set()
    if state.two_sentries:
        rules.add("two_sentries")
    if state.wrong_clock:
        rules.add("clock")
    return rules


def _offline(count: int, kind: RigKind) -> Trouble:
    return Trouble(
        f"{units.count_text(count)} offline",
        "bad",
        IndexQuery(kind=kind, health=Health.OFFLINE, sort=Sort.HEALTH).address(),
    )


def _of_rule(rule: str, count: int, kind: RigKind) -> Trouble:
    query = IndexQuery(kind=kind, select=f"incident:{rule} health:online,stale", sort=Sort.HEALTH)
    return Trouble(
        f"{units.count_text(count)} {WORDS[rule]}", "warning" if rule in WARNINGS else "bad", query.address()
    )
