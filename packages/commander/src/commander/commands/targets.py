"""The rigs of a command: those that are named, or those that a selection matches now."""

from collections.abc import Sequence

from commander.live.rig_state import Health
from commander.live.rigs import LiveRigs
from commander.selections.choice import targets
from commander.selections.domain import NoTargets

_LAST = {Health.OFFLINE: 1, Health.WAITING: 1}


def chosen_rigs(live: LiveRigs, *, select: str | None, rig_ids: Sequence[int] | None) -> list[int]:
    """The rigs in the order of their turns: by name, and those that are offline last.

    Rigs of a selection that wait for approval are left out. Raises `NoTargets` or `BadSelection`. Ids that are not
    known stay in the list: the order names them, and those that are not approved.
    """
    ids = targets(live, select=select, rig_ids=rig_ids)
    if select is not None:
        ids = [rig_id for rig_id in ids if live.is_approved(rig_id)]
        if not ids:
            raise NoTargets("All rigs that match this selection wait for approval. Approve them first.")
    return sorted(ids, key=lambda rig_id: _turn(live, rig_id))


def _turn(live: LiveRigs, rig_id: int) -> tuple[int, str]:
    state = live.index.rigs.get(rig_id)
    return (0, "") if state is None else (_LAST.get(state.health, 0), state.name.casefold())
