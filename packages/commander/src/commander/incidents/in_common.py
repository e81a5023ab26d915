"""Finds the group that failing rigs have in common. The group may or may not be the cause.

Of the groups that at least 80 % of the failing rigs are in, and of whose members at least 60 % fail, the one with the
fewest healthy members is named. Fewer than three failing rigs have nothing in common.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple

from commander.incidents.domain import InCommon

FEWEST = 3
COVERED = 0.8
FAILING = 0.6


class GroupKind(NamedTuple):
    """A kind of group, such as "tag", and the function that returns which of them a rig is in."""

    name: str
    of: Callable[[int], Iterable[str]]


class Candidate(NamedTuple):
    """A group that may be what the failing rigs have in common, counted."""

    order: int
    kind: str
    value: str
    failing: int
    members: int

    @property
    def healthy(self) -> int:
        return self.members - self.failing


def in_common(rigs: Collection[int], failing: Collection[int], kinds: Sequence[GroupKind]) -> InCommon | None:
    """Returns the group that fits best. `rigs` are the numbers of all rigs, `failing` those that fail.

    Where two groups fit alike, the kind that comes first in `kinds` is named.
    """
    bad = set(failing)
    if len(bad) < FEWEST:
        return None
    candidates = [each for order, kind in enumerate(kinds) for each in _candidates(order, kind, rigs, bad)]
    best = min(candidates, key=lambda each: (each.healthy, -each.failing, each.order, each.value), default=None)
    if best is None:
        return None
    return InCommon(
        group=f"{best.kind} {best.value}",
        failing=best.failing,
        members=best.members,
        others_failing=len(bad) - best.failing,
        others=len(rigs) - best.members,
    )


def _candidates(order: int, kind: GroupKind, rigs: Collection[int], bad: set[int]) -> Iterable[Candidate]:
    """The groups of one kind that cover the failing rigs. Other rigs are looked at only if there is one."""
    covering = Counter(value for rig in bad for value in set(kind.of(rig)))
    values = {value: count for value, count in covering.items() if count >= COVERED * len(bad)}
    if not values:
        return
    members = Counter(value for rig in rigs for value in set(kind.of(rig)) if value in values)
    for value, count in values.items():
        is_everybody = members[value] == len(rigs)
        if count >= FAILING * members[value] and not is_everybody:
            yield Candidate(order, kind.name, value, count, members[value])
