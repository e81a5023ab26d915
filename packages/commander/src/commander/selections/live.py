"""Selections that stay true: for each, the rigs that match now. A change of one rig costs the evaluation of that rig.

A page or a rule asks for its selection again and again. A selection that is not asked for any more is dropped.
"""

from itertools import count

from commander.live.operational_index import OperationalIndex
from commander.live.rig_state import RigState
from commander.registry.kinds import RigKind
from commander.selections.compiled import Predicate, compiled
from commander.selections.domain import Selection
from commander.selections.parser import COMPARED

KEPT_FOR_S = 30.0
SELECTIONS_KEPT = 256
_changes = count(1)


class LiveSelection:
    """The ids of the rigs that match. `changed_at` is another number after each change of `ids`, and never the same."""

    def __init__(self, selection: Selection, matches: Predicate, ids: set[int]) -> None:
        self.matches = matches
        self.ids = ids
        self.compares = any(term.key in COMPARED for term in selection.terms)
        self.changed_at = next(_changes)
        self.asked_s = 0.0

    def see(self, state: RigState) -> None:
        """Evaluates one rig."""
        if self.matches(state) is not (state.id in self.ids):
            self.ids ^= {state.id}
            self.changed_at = next(_changes)

    def forget(self, rig_id: int) -> None:
        if rig_id in self.ids:
            self.ids.remove(rig_id)
            self.changed_at = next(_changes)


class LiveSelections:
    """The live selections of one kind of rig, over an operational index, which calls the other methods."""

    def __init__(self, kind: RigKind, index: OperationalIndex) -> None:
        self._kind = kind
        self._rigs = index.rigs
        self._live: dict[Selection, LiveSelection] = {}
        self._comparing: list[LiveSelection] = []
        self._now_s = 0.0
        index.on_change, index.on_remove, index.on_tick = self.changed, self.removed, self.tick

    def of(self, selection: Selection) -> LiveSelection:
        """Returns the live selection; the first to ask pays its evaluation over all rigs. Raises `BadSelection`."""
        live = self._live.get(selection)
        if live is None:
            live = self._begin(selection)
        live.asked_s = self._now_s
        return live

    def changed(self, state: RigState, only_metrics: bool) -> None:
        """Evaluates the selections that may see a rig's change. `only_metrics`: nothing else of it has changed."""
        for live in self._comparing if only_metrics else self._live.values():
            live.see(state)

    def removed(self, rig_id: int) -> None:
        for live in self._live.values():
            live.forget(rig_id)

    def tick(self, now_s: float) -> None:
        """Drops the selections that have not been asked for lately."""
        self._now_s = now_s
        unused = [key for key, live in self._live.items() if live.asked_s < now_s - KEPT_FOR_S]
        for key in unused:
            del self._live[key]
        if unused:
            self._comparing = [live for live in self._live.values() if live.compares]

    def _begin(self, selection: Selection) -> LiveSelection:
        matches = compiled(selection, self._kind)
        if len(self._live) >= SELECTIONS_KEPT:
            del self._live[min(self._live, key=lambda key: self._live[key].asked_s)]
        ids = {rig_id for rig_id, state in self._rigs.items() if matches(state)}
        live = self._live[selection] = LiveSelection(selection, matches, ids)
        self._comparing = [each for each in self._live.values() if each.compares]
        return live
