"""Rigs that a selection chooses now, once."""

from commander.live.rig_state import RigState
from commander.live.rigs import LiveRigs
from commander.selections.compiled import compiled
from commander.selections.parser import parse


def chosen(live: LiveRigs, line: str | None) -> list[RigState]:
    """Returns the rigs that match, by name; without a line, all of them. Raises `BadSelection`."""
    matches = compiled(parse(line or ""), live.kind)
    states = [state for state in live.index.rigs.values() if matches(state)]
    return sorted(states, key=lambda rig: rig.name.casefold())
