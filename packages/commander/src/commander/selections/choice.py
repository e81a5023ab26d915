"""Rigs that somebody chooses: those of a selection, as they match now, or those that are named."""

from collections.abc import Sequence

from commander.live.rig_state import RigState
from commander.live.rigs import LiveRigs
from commander.selections.compiled import compiled
from commander.selections.domain import NoTargets
from commander.selections.parser import parse


def chosen(live: LiveRigs, line: str | None) -> list[RigState]:
    """Returns the rigs that match, by name; without a line, all of them. Raises `BadSelection`."""
    matches = compiled(parse(line or ""), live.kind)
    states = [state for state in live.index.rigs.values() if matches(state)]
    return sorted(states, key=lambda rig: rig.name.casefold())


def targets(live: LiveRigs, *, select: str | None, rig_ids: Sequence[int] | None) -> list[int]:
    """Returns the ids of the CPU/GPU rigs that a change is for. Ids that are not known stay in the list.

    Raises `NoTargets` or `BadSelection`.
    """
    if (select is None) == (rig_ids is None):
        raise NoTargets("Name the rigs by their ids, or choose them by `select`: one of the two.")
    if select is None:
        return list(dict.fromkeys(rig_ids or ()))
    if not select.strip():
        raise NoTargets("An empty selection would mean every rig. Write which rigs you mean, such as name:* for all.")
    matching = [rig.id for rig in chosen(live, select)]
    if not matching:
        raise NoTargets("No CPU/GPU rig matches this selection now. ASICs are read only.")
    return matching
