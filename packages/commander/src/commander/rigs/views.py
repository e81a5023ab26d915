"""What people see live of CPU/GPU rigs: the index, and one rig's page."""

from collections.abc import Callable, Hashable, Iterable, Mapping
from datetime import UTC, datetime
from urllib.parse import quote
from weakref import WeakKeyDictionary

from commander.live.frames import RESYNC, View
from commander.live.moves import Moves, moves
from commander.live.operational_index import Health, OperationalIndex, RigState
from commander.live.rigs import LiveRigs
from commander.live.trends import Trends
from commander.logs.charts import chart_now, farm_readings, readings_of
from commander.logs.views import log_view_of
from commander.rigs.details import head_view, now_view, spec_rows
from commander.rigs.kinds import RigKind
from commander.rigs.listing import IndexQuery, Order, Orders, index_query, shown
from commander.rigs.navigation import empty_state, health_links, pager
from commander.rigs.rows import Rows, gone, placed, total_views, with_sparks
from commander.web.shell import macro

TOTALS_EVERY_S = 1.0
FARM_EVERY_S = 10.0
MOVES_MAX = 1_000
Parts = dict[str, str]
ENROLLED = '<section id="enrol-first" data-gone></section>'


class RigViews:
    """What all viewers of one operational index share: rows that are rendered, orders that are made."""

    def __init__(self, index: OperationalIndex, trends: Trends | None = None) -> None:
        self.index = index
        self.rows = Rows(index)
        self.orders = Orders(index)
        self._trends = trends or Trends()
        self._totals = ((-1, -1), "")
        self._farm_now = (float("-inf"), "")

    def totals(self) -> str:
        number = self.index.now_at, self._trends.number
        if self._totals[0] != number:
            views = with_sparks(total_views(self.index), self._trends)
            self._totals = number, macro("rigs/index_parts.html", "totals", views)
        return self._totals[1]

    def farm_now(self, now_s: float) -> str:
        """The live edge of the farm's charts; `now_s` is the tick's time, so that a tick makes it once."""
        if now_s > self._farm_now[0]:
            self._farm_now = now_s, chart_now(datetime.now(UTC), farm_readings(self.index))
        return self._farm_now[1]

    def around(self, order: Order, query: IndexQuery) -> Parts:
        """What stands around the rows and depends on which there are."""
        return {
            "healths": macro("rigs/index_parts.html", "healths", health_links(order, query)),
            "pager": macro("rigs/index_parts.html", "pager", pager(order, query)),
            "empty": macro("rigs/index_parts.html", "empty", empty_state(order, self.index)),
        }


_shared: WeakKeyDictionary[LiveRigs, RigViews] = WeakKeyDictionary()


def views_of(live: LiveRigs) -> RigViews:
    """The views of `live`, made when they are first asked for."""
    if live not in _shared:
        _shared[live] = RigViews(live.index, live.trends)
    return _shared[live]


def rig_sections(state: RigState) -> Parts:
    """The live parts of a rig's page."""
    head = head_view(state)
    return {
        "head": macro("rigs/live.html", "head", head),
        "notices": macro("rigs/live.html", "notices", head),
        "now": macro("rigs/live.html", "now", head, now_view(state)),
        "specs": macro("rigs/live.html", "specs", spec_rows(state)),
        "chart_now": chart_now(state.taken_at, readings_of(RigKind.CPU_GPU, state)),
    }


class IndexView:
    """The index as everybody sees it who asks for `query`."""

    def __init__(self, views: RigViews, query: IndexQuery) -> None:
        self._views = views
        self._query = query
        self._order = views.orders.standing(query)
        self._ids = shown(self._order, query)[1]
        self._was = set(self._ids)
        self._around_of = self._order
        self._around = views.around(self._order, query)
        self._totals = views.totals()  # whoever joins has these, by the page or by its first frame
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
        return "".join([*self._changed_rows(since, self._ids), self._views.totals()])

    def step(self, since: int, now_s: float) -> str | None:
        change = self._reordered()
        if len(change.gone) + len(change.placed) > MOVES_MAX:
            return RESYNC
        moved = {rig_id for rig_id, _ in change.placed}
        parts = [gone(rig_id) for rig_id in change.gone]
        parts += self._placed_rows(change, since)
        parts += self._changed_rows(since, (rig_id for rig_id in self._ids if rig_id not in moved))
        parts += self._changed_around()
        parts += self._due_totals(now_s)
        parts += self._due_farm_now(now_s)
        return "".join(parts) or None

    def _reordered(self) -> Moves:
        order = self._views.orders.standing(self._query)
        if order is self._order:
            return Moves([], [])
        before, self._was = self._ids, set(self._ids)
        self._order, self._ids = order, shown(order, self._query)[1]
        self._views.rows.forget_removed()
        return moves(before, self._ids)

    def _placed_rows(self, change: Moves, since: int) -> list[str]:
        rigs, rows = self._views.index.rigs, self._views.rows
        return [
            placed(rows.html(rig_id), before, same=rig_id in self._was and rigs[rig_id].changed_at <= since)
            for rig_id, before in change.placed
        ]

    def _changed_rows(self, since: int, ids: Iterable[int]) -> list[str]:
        rigs, rows = self._views.index.rigs, self._views.rows
        if self._views.index.now_at == since:
            return []
        return [rows.html(rig_id) for rig_id in ids if rig_id in rigs and rigs[rig_id].changed_at > since]

    def _changed_around(self) -> list[str]:
        if self._around_of is self._order:
            return []
        before, self._around = self._around, self._views.around(self._order, self._query)
        self._around_of = self._order
        return [html for name, html in self._around.items() if html != before[name]]

    def _due_totals(self, now_s: float) -> list[str]:
        if now_s < self._totals_due_s or self._views.totals() == self._totals:
            return []
        self._totals_due_s = now_s + TOTALS_EVERY_S
        self._totals = self._views.totals()
        return [self._totals]

    def _due_farm_now(self, now_s: float) -> list[str]:
        index, number = self._views.index, self._views.index.now_at
        if number == self._farm_at or now_s < self._farm_due_s or not index.totals.alive:
            return []
        self._farm_at, self._farm_due_s = number, now_s + FARM_EVERY_S
        return [self._views.farm_now(now_s)]


class RigView:
    """One rig's page."""

    def __init__(self, views: RigViews, rig_id: int) -> None:
        self._rigs = views.index.rigs
        self._id = rig_id
        state = self._rigs.get(rig_id)
        self._name = state.name if state else ""
        self._sent: Parts = {}

    def catch_up(self, since: int) -> str | None:
        state = self._rigs.get(self._id)
        if state is None:
            return self._leave()
        if state.changed_at <= since:
            return None
        return "".join(rig_sections(state).values()) + _enrolled(state)

    def step(self, since: int, now_s: float) -> str | None:
        state = self._rigs.get(self._id)
        if state is None:
            return self._leave()
        if state.changed_at <= since:
            return None
        self._name = state.name
        before, self._sent = self._sent, rig_sections(state)
        return "".join(html for name, html in self._sent.items() if html != before.get(name)) + _enrolled(state)

    def _leave(self) -> str:
        return f'<a id="leave" data-go="/cpu-gpu?removed={quote(self._name, safe="")}"></a>'


def _enrolled(state: RigState) -> str:
    """A rig that reports needs the panel with its first token no longer."""
    return "" if state.health is Health.WAITING else ENROLLED


def view_from_query(query: Mapping[str, str], live: LiveRigs) -> tuple[Hashable, Callable[[], View]]:
    """The view that a page's socket asks for, and the name under which it is shared. Raises `ValueError`."""
    return view_of(query, views_of(live))


def view_of(query: Mapping[str, str], views: RigViews) -> tuple[Hashable, Callable[[], View]]:
    if query.get("view") == "rigs":
        asked = index_query(query)
        return asked, lambda: IndexView(views, asked)
    if query.get("view") == "rig":
        rig_id = int(query.get("rig", ""))
        return rig_id, lambda: RigView(views, rig_id)
    if query.get("view") == "log":
        return log_view_of(query, RigKind.CPU_GPU, views.index)
    raise ValueError("no page has this view")
