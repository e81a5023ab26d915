"""The rigs of a command: those that are named, or those that a selection matches now."""

from collections.abc import Sequence

from commander.commands.domain import NoTargets
from commander.live.rig_state import Health
from commander.live.rigs import LiveRigs
from commander.selections.choice import chosen

_LAST = {Health.OFFLINE: 1, Health.WAITING: 1}


def chosen_rigs(live: LiveRigs, *, select: str | None, rig_ids: Sequence[int] | None) -> list[int]:
    """The rigs in the order of their turns: by name, and those that are offline last.

    Raises `NoTargets` or `BadSelection`. Ids that are not known stay in the list: the order names them.
    """
    if (select is None) == (rig_ids is None):
        raise NoTargets("Name the rigs in `rigs`, or choose them by `select`: one of the two.")
    ids = list(dict.fromkeys(rig_ids or ())) if select is None else _matching(live, select)
    return sorted(ids, key=lambda rig_id: _turn(live, rig_id))


def _matching(live: LiveRigs, select: str) -> list[int]:
    if not select.strip():
        raise NoTargets("An empty selection would mean every rig. Write which rigs you mean, such as name:* for all.")
    matching = [rig.id for rig in chosen(live, select)]
    if not matching:
        raise NoTargets("No CPU/GPU rig matches this selection now. ASICs are read only and get no commands.")
    return matching


def _turn(live: LiveRigs, rig_id: int) -> tuple[int, str]:
    state = live.index.rigs.get(rig_id)
    return (0, "") if state is None else (_LAST.get(state.health, 0), state.name.casefold())
