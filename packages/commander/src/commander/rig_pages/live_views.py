"""Live pages of one kind of rig: the index, and the page of one rig."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from datetime import UTC, datetime
from itertools import chain

from commander.live.frames import RESYNC, View
from commander.live.rig_names import NamesView, QuietView, leave_html, rename_html, renames
from commander.live.rig_state import Health, RigState
from commander.live.rigs import LiveRigs
from commander.live.row_diff import RowDiff, row_diff
from commander.live.source import LiveView, Query
from commander.playbooks import views as playbook_views
from commander.registry.kinds import RigKind
from commander.rig_pages.charts import chart_now, farm_readings, log_head, rig_now
from commander.rig_pages.columns import Columns, extra_columns
from commander.rig_pages.cpu_gpu_rows import Rows, gone, placed, with_sparks
from commander.rig_pages.kind import Display
from commander.rig_pages.listing import IndexQuery, RowOrder, RowOrders, index_query, shown
from commander.rig_pages.navigation import empty_state, health_links, match_text, no_match, pager, waiting_link
from commander.rig_pages.selected import SelectedRigs
from commander.rig_pages.troubles import troubles
from commander.rig_pages.waiting_rigs import waiting_rigs
from commander.selections.live import LiveSelections
from commander.web.shell import Fragments, macro

TOTALS_EVERY_S = 1.0
FARM_EVERY_S = 10.0
MOVES_MAX = 1_000
ROWS_KEPT = 8  # of different columns
ENROLLED = '<section id="enrol-first" data-gone></section>'


class RigViews:
    """Rendered rows and finished orders, shared by all viewers of one kind of rig."""

    def __init__(self, live: LiveRigs, display: Display) -> None:
        self.live = live
        self.display = display
        self.index = live.index
        self._rows: dict[Columns, Rows] = {}
        self.selections = LiveSelections(live.kind, self.index)
        self.orders = RowOrders(self.index, SelectedRigs(self.index, self.selections))
        self._totals = ((-1, -1), "")
        self._troubles = (-1, "")
        self._farm_now = (float("-inf"), "")
        self._approvals = (-1, "")

    def rows_of(self, query: IndexQuery) -> Rows:
        """Returns the rows with the columns that the query asks for."""
        extra = extra_columns(query.columns, self.display.kind)
        rows = self._rows.get(extra)
        if rows is None:
            if len(self._rows) >= ROWS_KEPT:
                del self._rows[next(iter(self._rows))]
            rows = self._rows[extra] = Rows(self.index, self.display.row, extra)
        return rows

    def totals(self) -> str:
        trends = self.live.trends
        if self._totals[0] != (number := (self.index.now_at, trends.number)):
            views = with_sparks(self.display.totals(self.index), trends)
            self._totals = number, macro("rig_pages/index_fragments.html", "totals", views)
        return self._totals[1]

    def troubles(self) -> str:
        if self._troubles[0] != (number := self.index.now_at):
            found = troubles(self.index.rigs.values(), self.display.kind)
            self._troubles = number, macro("rig_pages/index_fragments.html", "troubles", found)
        return self._troubles[1]

    def approvals(self) -> str:
        """The rigs that wait for approval."""
        if self._approvals[0] != (number := self.index.approval_changed_at):
            html = macro("rig_pages/index_fragments.html", "approvals", waiting_rigs(self.index))
            self._approvals = number, html
        return self._approvals[1]

    def farm_now(self, now_s: float) -> str:
        """The live edge of the farm's charts; `now_s` is the tick's time, so that a tick makes it once."""
        if now_s > self._farm_now[0]:
            self._farm_now = now_s, chart_now(datetime.now(UTC), farm_readings(self.index))
        return self._farm_now[1]

    def sections(self, state: RigState) -> Fragments:
        """The live parts of a rig's page."""
        return {**self.display.sections(state), "chart_now": rig_now(self.display.kind, state)}

    def log_sections(self, state: RigState) -> Fragments:
        """The live parts of its log page."""
        head = macro("rig_pages/log_fragments.html", "head", log_head(state, self.display.path))
        output = playbook_views.output_sections(state) if self.display.kind is RigKind.CPU_GPU else {}
        return {"head": head, "chart_now": rig_now(self.display.kind, state), **output}

    def around(self, order: RowOrder, query: IndexQuery) -> Fragments:
        """The parts of the page around the rows, which depend on the rows."""
        parts = {
            "matches": macro(
                "rig_pages/index_fragments.html",
                "matches",
                match_text(order, query, self.index),
                len(order.ids) + len(order.waiting),
            ),
            "healths": macro("rig_pages/index_fragments.html", "healths", health_links(order, query)),
            "pager": macro("rig_pages/index_fragments.html", "pager", pager(order, query)),
            "empty": macro(
                f"{self.display.folder}/empty.html", "empty", empty_state(order, self.index), no_match(query)
            ),
        }
        if "waiting-rows" in shown(order, query)[1]:
            parts["waiting"] = macro("rig_pages/index_fragments.html", "waiting", waiting_link(order, query))
        return dict(parts)

    def query(self, parameters: Mapping[str, str]) -> IndexQuery:
        """Raises `ValueError` for what no link of ours says."""
        return index_query(parameters, self.display.kind)


class IndexView:
    """The index as everybody sees it who asks for `query`."""

    def __init__(self, views: RigViews, query: IndexQuery) -> None:
        self._views = views
        self._query = query
        self._rows = views.rows_of(query)
        self._order = views.orders.standing(query)
        self._places = shown(self._order, query)[1]
        self._was = set(chain(*self._places.values()))
        self._around_of = self._order
        self._around = self._around_now()
        self._totals = self._totals_now()  # a page that opens now has these already
        self._totals_due_s = float("-inf")
        self._farm_at = views.index.now_at
        self._farm_due_s = float("-inf")

    def catch_up(self, since: int) -> str | None:
        index = self._views.index
        order = self._views.orders.standing(self._query)
        if max(index.shape_changed_at, order.at) > since:
            return RESYNC
        if index.now_at == since:
            return None
        return "".join([*self._changed_rows(since, chain(*self._places.values())), *self._totals_now()]) or None

    def step(self, since: int, now_s: float) -> str | None:
        changes = self._reordered()
        if sum(len(change.gone) + len(change.placed) for change in changes.values()) > MOVES_MAX:
            return RESYNC
        here = list(chain(*self._places.values()))
        moved = {rig_id for change in changes.values() for rig_id, _ in change.placed}
        left = {rig_id for change in changes.values() for rig_id in change.gone}.difference(here)
        parts = [gone(rig_id) for rig_id in sorted(left)]
        parts += self._placed_rows(changes, since)
        parts += self._changed_rows(since, (rig_id for rig_id in here if rig_id not in moved))
        parts += self._changed_around()
        parts += self._renames(since)
        parts += self._due_totals(now_s)
        parts += self._due_farm_now(now_s)
        return "".join(parts) or None

    def _reordered(self) -> dict[str, RowDiff]:
        """Returns the rows that come and go in each of the places. A row that changes its place only comes."""
        order = self._views.orders.standing(self._query)
        if order is self._order:
            return {}
        before, self._was = self._places, set(chain(*self._places.values()))
        self._order, self._places = order, shown(order, self._query)[1]
        self._rows.forget_removed()
        return {place: row_diff(before[place], ids) for place, ids in self._places.items()}

    def _placed_rows(self, changes: Mapping[str, RowDiff], since: int) -> list[str]:
        rigs, rows = self._views.index.rigs, self._rows
        return [
            placed(rows.of(rig_id).html, place, before, same=rig_id in self._was and rigs[rig_id].changed_at <= since)
            for place, change in changes.items()
            for rig_id, before in change.placed
        ]

    def _changed_rows(self, since: int, ids: Iterable[int]) -> list[str]:
        rigs, rows = self._views.index.rigs, self._rows
        if self._views.index.now_at == since:
            return []
        return [rows.of(rig_id).html for rig_id in ids if rig_id in rigs and rigs[rig_id].changed_at > since]

    def _changed_around(self) -> list[str]:
        if self._around_of is self._order:
            return []
        before, self._around = self._around, self._around_now()
        self._around_of = self._order
        return [html for name, html in self._around.items() if html != before[name]]

    def _around_now(self) -> Fragments:
        return self._views.around(self._order, self._query)

    def _renames(self, since: int) -> list[str]:
        return renames(self._views.index, since)

    def _totals_now(self) -> tuple[str, ...]:
        return self._views.totals(), self._views.troubles(), self._views.approvals()

    def _due_totals(self, now_s: float) -> list[str]:
        if now_s < self._totals_due_s:
            return []
        before, now = self._totals, self._totals_now()
        if now == before:
            return []
        self._totals_due_s, self._totals = now_s + TOTALS_EVERY_S, now
        return [html for html, old in zip(now, before, strict=True) if html != old]

    def _due_farm_now(self, now_s: float) -> list[str]:
        index, number = self._views.index, self._views.index.now_at
        if number == self._farm_at or now_s < self._farm_due_s or not index.totals.alive:
            return []
        self._farm_at, self._farm_due_s = number, now_s + FARM_EVERY_S
        return [self._views.farm_now(now_s)]


class RigView:
    """One rig's page, or its log page: `sections` makes the live parts."""

    def __init__(self, views: RigViews, rig_id: int, sections: Callable[[RigState], Fragments] | None = None) -> None:
        self._rigs = views.index.rigs
        self._path = views.display.path
        self._sections = sections or views.sections
        self._id = rig_id
        state = self._rigs.get(rig_id)
        self._name = state.name if state else views.index.removed_names.get(rig_id, "")
        self._sent: Fragments = {}

    def catch_up(self, since: int) -> str | None:
        state = self._rigs.get(self._id)
        if state is None:
            return self._leave()
        if max(state.changed_at, state.page_changed_at) <= since:
            return None
        return "".join(self._sections(state).values()) + _around(state, since)

    def step(self, since: int, now_s: float) -> str | None:
        state = self._rigs.get(self._id)
        if state is None:
            return self._leave()
        if max(state.changed_at, state.page_changed_at) <= since:
            return None
        self._name = state.name
        before, self._sent = self._sent, self._sections(state)
        return "".join(html for name, html in self._sent.items() if html != before.get(name)) + _around(state, since)

    def _leave(self) -> str:
        return leave_html(self._path, self._name)


def _around(state: RigState, since: int) -> str:
    """Returns a new name for open dialogs, and hides the panel with the first token once the rig reports."""
    renamed = rename_html(state) if state.renamed_at > since else ""
    return renamed + ("" if state.health is Health.WAITING else ENROLLED)


def live_views(views: RigViews) -> list[LiveView]:
    """The live pages of one kind of rig: the index, a rig's page and its log page."""

    def index(query: Query) -> tuple[Hashable, Callable[[], View]]:
        wanted = views.query(query)
        return wanted, lambda: IndexView(views, wanted)

    def rig(query: Query) -> tuple[Hashable, Callable[[], View]]:
        rig_id = int(query.get("rig", ""))
        return rig_id, lambda: RigView(views, rig_id)

    def log(query: Query) -> tuple[Hashable, Callable[[], View]]:
        rig_id = int(query.get("rig", ""))
        return rig_id, lambda: RigView(views, rig_id, views.log_sections)

    name = views.display.view
    return [
        LiveView(f"{name}s", views.live, index),
        LiveView(name, views.live, rig),
        LiveView(f"{name}-log", views.live, log),
    ]


def views_without_metrics(views: RigViews) -> list[LiveView]:
    """The live views of all other pages: of those that show names of rigs, and of those that show nothing of rigs."""

    def names(query: Query) -> tuple[Hashable, Callable[[], View]]:
        rig_id = int(query["rig"]) if "rig" in query else None
        return rig_id, lambda: NamesView(views.index, views.display.path, rig_id)

    def quiet(query: Query) -> tuple[Hashable, Callable[[], View]]:
        return None, QuietView

    return [LiveView("names", views.live, names), LiveView("quiet", views.live, quiet)]
