"""The line above an index page's rows that says how many rigs are in which trouble."""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from protocol import units

from commander.live.rig_state import Health, RigState
from commander.live.trouble import RULES, order_of, troubles_of, words_of
from commander.registry.kinds import RigKind
from commander.rig_pages.faults_view import TONES
from commander.rig_pages.listing import IndexQuery, Sort
from commander.rig_pages.navigation import counted


class Trouble(NamedTuple):
    """A link to the rigs that are in one trouble; without `href` it is the good news that none is."""

    text: str
    tone: str
    href: str = ""


def troubles(rigs: Iterable[RigState], kind: RigKind) -> list[Trouble]:
    """Returns what is wrong, worst first. Empty: nothing is known to be wrong, but not every rig reports."""
    states = list(rigs)
    healths = Counter([state.health for state in states])
    troubled = [state for state in states if state.health is not Health.WAITING]
    rules = Counter(rule for state in troubled for rule in {each.rule for each in troubles_of(state)})
    found = [_of_rule(rule, rules[rule], kind) for rule in sorted(rules, key=order_of)]
    if not found and states and healths[Health.ONLINE] == len(states):
        return [Trouble(f"{counted(len(states), kind)}, nothing known to be wrong", "good")]
    return found


def _of_rule(rule: str, count: int, kind: RigKind) -> Trouble:
    query = IndexQuery(kind=kind, sort=Sort.HEALTH)
    if rule == "offline":
        query = query.but(health=Health.OFFLINE)
    else:
        name = rule if rule in RULES else f'"{rule}"'
        query = query.but(select=f"incident:{name} health:online,stale")
    words = words_of(rule)
    return Trouble(f"{units.count_text(count)} {words.rigs}", TONES[words.severity], query.address())
