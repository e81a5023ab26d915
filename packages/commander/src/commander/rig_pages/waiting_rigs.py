"""The rigs that wait for approval, as the index page shows them above its rows."""

from typing import NamedTuple

from commander.live.operational_index import OperationalIndex
from commander.registry.kinds import RigKind
from commander.rig_pages.navigation import counted
from commander.selections.ranges import ranges_text

NAMES_SHOWN = 100


class WaitingRig(NamedTuple):
    id: int
    name: str


class WaitingRigs(NamedTuple):
    """`ids` are all that wait, as the form holds them; `rigs` are the first ones by name, and `more` are left out."""

    title: str
    button: str
    ids: str
    rigs: list[WaitingRig]
    more: str


def waiting_rigs(index: OperationalIndex) -> WaitingRigs | None:
    """Returns None if none waits."""
    waiting = sorted((index.rigs[rig_id] for rig_id in index.unapproved), key=lambda state: state.name.casefold())
    if not waiting:
        return None
    count, left_out = counted(len(waiting), RigKind.CPU_GPU), len(waiting) - NAMES_SHOWN
    return WaitingRigs(
        title=f"{count} {'waits' if len(waiting) == 1 else 'wait'} for approval",
        button="Approve" if len(waiting) == 1 else f"Approve all {count}",
        ids=ranges_text(index.unapproved),
        rigs=[WaitingRig(state.id, state.name) for state in waiting[:NAMES_SHOWN]],
        more=f"and {left_out:,} more" if left_out > 0 else "",
    )
