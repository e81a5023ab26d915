"""The rigs that the search box of an index page selects."""

import re

from commander.live.operational_index import OperationalIndex
from commander.live.rig_state import RigState
from commander.registry.kinds import RigKind
from commander.selections.compiled import compiled
from commander.selections.domain import BadSelection
from commander.selections.live import LiveSelection, LiveSelections
from commander.selections.parser import parse

_PLAIN_WORD = re.compile(r"[\w.]+")


def selection_problem(line: str, kind: RigKind) -> str:
    """Returns what is wrong with the line of a selection; empty if nothing is."""
    try:
        compiled(parse(line), kind)
    except BadSelection as error:
        return str(error)
    return ""


def selection_of_search(text: str) -> str:
    """Returns the selection that an address with `?q=`, of an earlier version, means."""
    plain = text.strip().replace('"', "")
    return plain if not plain or _PLAIN_WORD.fullmatch(plain) else f'"{plain}"'


class SelectedRigs:
    """The rigs of one kind by the line that selects them; a bad line selects none."""

    def __init__(self, index: OperationalIndex, selections: LiveSelections) -> None:
        self._rigs = index.rigs
        self._selections = selections

    def rigs(self, line: str) -> list[RigState]:
        if not line:
            return list(self._rigs.values())
        selected = self._live(line)
        return [self._rigs[rig_id] for rig_id in selected.ids] if selected else []

    def changed_at(self, line: str) -> int:
        """Returns another number as soon as other rigs match."""
        selected = self._live(line) if line else None
        return selected.changed_at if selected else 0

    def _live(self, line: str) -> LiveSelection | None:
        try:
            return self._selections.of(parse(line))
        except BadSelection:
            return None
