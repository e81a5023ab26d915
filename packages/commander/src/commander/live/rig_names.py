"""Pages without metrics: they get new names of rigs, and are left when their rig is removed.

A rig's name outside of other live parts stands in `<span data-rig="7">` (the macro `rig_name` of `web/fragments.html`).
"""

from urllib.parse import quote

from markupsafe import escape

from commander.live.frames import NEVER, View
from commander.live.operational_index import OperationalIndex
from commander.live.rig_state import RigState


def rename_html(state: RigState) -> str:
    """Returns the element of a frame that writes the rig's new name everywhere on the page."""
    return f'<span id="rename-{state.id}" data-rename="{state.id}">{escape(state.name)}</span>'


def renames(index: OperationalIndex, since: int) -> list[str]:
    """Returns an element for each rig renamed since change number `since`."""
    if index.renamed_at <= since:
        return []
    return [rename_html(state) for state in index.rigs.values() if state.renamed_at > since]


def leave_html(path: str, name: str) -> str:
    """Returns the element of a frame that opens the index at `path`, which says that the rig `name` was removed."""
    return f'<a id="leave" data-go="{path}?removed={quote(name, safe="")}"></a>'


class QuietView(View):
    """A page without live parts. Its WebSocket shows only that the commander and the session are there."""

    def catch_up(self, since: int) -> str | None:
        return None

    def step(self, since: int, now_s: float) -> str | None:
        return None


class NamesView(View):
    """A page that shows rigs by name but no metrics. `rig_id` is the rig of the page, if it has one."""

    def __init__(self, index: OperationalIndex, path: str, rig_id: int | None) -> None:
        self._index = index
        self._path = path
        self._rig_id = rig_id
        state = None if rig_id is None else index.rigs.get(rig_id)
        self._name = state.name if state else index.removed_names.get(rig_id or 0, "")

    def catch_up(self, since: int) -> str | None:
        state = None if self._rig_id is None else self._index.rigs.get(self._rig_id)
        if state:
            self._name = state.name
        elif self._rig_id is not None:
            return leave_html(self._path, self._name)
        if since == NEVER:
            return rename_html(state) if state else None
        return "".join(renames(self._index, since)) or None

    def step(self, since: int, now_s: float) -> str | None:
        return self.catch_up(since)
