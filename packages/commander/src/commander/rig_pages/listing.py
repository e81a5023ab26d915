"""The rigs of an index page and their order, read from the page's address."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from functools import lru_cache
from urllib.parse import urlencode

import msgspec

from commander.live.operational_index import OperationalIndex
from commander.live.rig_state import Health, RigState
from commander.registry.kinds import PATHS, RigKind
from commander.rig_pages.columns import Columns, columns_in, columns_text
from commander.rig_pages.selected import SelectedRigs, selection_of_search

PER_PAGE = 100
WHOLE = 10_000
ORDERS_KEPT = 64
_DIGITS = re.compile(r"(\d+)")


class Sort(StrEnum):
    NAME = "name"
    HEALTH = "health"
    HASHRATE = "hashrate"
    POWER = "power"
    TEMPERATURE = "temperature"
    REJECTED = "rejected"
    UPTIME = "uptime"
    SEEN = "seen"


USUAL_SORT = Sort.HEALTH  # the worst first, then by name


class IndexQuery(msgspec.Struct, frozen=True, kw_only=True):
    """The filter, order and columns of an index page.

    `select` is the line of a selection, as somebody typed it. `faulty`: only those with faults. `whole`: up to 10,000
    rigs on one page. `columns` is None for the usual ones.
    """

    kind: RigKind = RigKind.CPU_GPU
    sort: Sort = Sort.NAME
    descending: bool = False
    select: str = ""
    health: Health | None = None
    faulty: bool = False
    page: int = 1
    whole: bool = False
    columns: Columns | None = None

    def parameters(self) -> dict[str, str]:
        """As in the address; what is usual is left out."""
        said = {
            "sort": "" if self.sort is USUAL_SORT else self.sort.value,
            "dir": "desc" if self.descending else "",
            "select": self.select,
            "health": self.health.value if self.health else "",
            "faults": "yes" if self.faulty else "",
            "columns": columns_text(self.columns),
            "page": "" if self.page == 1 else str(self.page),
            "per": "all" if self.whole else "",
        }
        return {name: value for name, value in said.items() if value}

    @property
    def waiting_apart(self) -> bool:
        """ASICs are added by the hundred: those that never reported stand apart from those that work."""
        return self.kind is RigKind.ASIC and self.health is None

    def address(self, path: str = "", **more: object) -> str:
        path, parameters = path or PATHS[self.kind], urlencode({**self.parameters(), **more})
        return f"{path}?{parameters}" if parameters else path

    def but(self, **changes: object) -> "IndexQuery":
        """The same from the first page on, with `changes`."""
        return msgspec.structs.replace(self, **{"page": 1, **changes})


def index_query(parameters: Mapping[str, str], kind: RigKind) -> IndexQuery:
    """Raises `ValueError` for what no link of ours says."""
    health = parameters.get("health")
    page = int(parameters.get("page") or 1)
    if not 1 <= page <= WHOLE:
        raise ValueError(f"no page {page}")
    return IndexQuery(
        kind=kind,
        sort=Sort(parameters.get("sort") or USUAL_SORT),
        descending=parameters.get("dir") == "desc",
        select=parameters.get("select", selection_of_search(parameters.get("q", ""))).strip(),
        health=Health(health) if health else None,
        faulty=parameters.get("faults") == "yes",
        page=page,
        whole=parameters.get("per") == "all",
        columns=columns_in(parameters.get("columns", ""), kind),
    )


class RowOrder(msgspec.Struct, frozen=True, eq=False):
    """Rigs in order; `at` is the index's number when this order came about.

    `waiting` are those that stand apart, by name; `counts` and `faulty` are of all that the selection matches.
    `selected_at` numbers the last change of what it matches.
    """

    ids: list[int]
    waiting: list[int]
    counts: Counter[Health]
    faulty: int
    at: int
    shape_at: int
    selected_at: int
    looked_at: int


class RowOrders:
    """Orders of rows. Everybody who looks at the index in the same way shares one.

    Rows must not jump while somebody reads them: an order by figures stands until a rig comes, goes or changes its
    name or health, until other rigs match the selection, or until somebody loads the page.
    """

    def __init__(self, index: OperationalIndex, selected: SelectedRigs) -> None:
        self._index = index
        self._selected = selected
        self._orders: dict[IndexQuery, RowOrder] = {}
        self._ranks = NameRanks(index)

    def standing(self, query: IndexQuery) -> RowOrder:
        key = query.but(whole=False, columns=None)
        order = self._orders.get(key)
        if order is None or not self._stands(order, key):
            order = self._keep(key, self._made(key))
        return order

    def fresh(self, query: IndexQuery) -> RowOrder:
        """For a page that is loaded now."""
        key = query.but(whole=False, columns=None)
        order = self.standing(query)
        if key.sort in (Sort.NAME, Sort.HEALTH) or order.looked_at == self._index.now_at:
            return order
        ids = ordered(_listed(self._selected.rigs(key.select), key), key, self._ranks.now())
        if ids == order.ids:
            return order
        self._index.reordered()
        return self._keep(key, self._made(key, ids))

    def _stands(self, order: RowOrder, query: IndexQuery) -> bool:
        is_same_selection = order.selected_at == self._selected.changed_at(query.select)
        return is_same_selection and order.shape_at == self._index.shape_changed_at

    def _made(self, query: IndexQuery, ids: list[int] | None = None) -> RowOrder:
        found, index = self._selected.rigs(query.select), self._index
        apart, ranks = query.waiting_apart and not query.faulty, self._ranks.now()
        return RowOrder(
            ids=ordered(_listed(found, query), query, ranks) if ids is None else ids,
            waiting=ordered([each for each in found if each.health is Health.WAITING], BY_NAME, ranks) if apart else [],
            counts=Counter([state.health for state in found]),
            faulty=sum(bool(state.faults) for state in found),
            at=index.now_at,
            shape_at=index.shape_changed_at,
            selected_at=self._selected.changed_at(query.select),
            looked_at=index.now_at,
        )

    def _keep(self, key: IndexQuery, order: RowOrder) -> RowOrder:
        self._orders.pop(key, None)
        if len(self._orders) >= ORDERS_KEPT:
            del self._orders[next(iter(self._orders))]
        self._orders[key] = order
        return order


Places = dict[str, list[int]]  # the ids of the rows in each of the page's elements that hold rows


def shown(order: RowOrder, query: IndexQuery) -> tuple[IndexQuery, Places]:
    """The rows on the page that `query` asks for; a page beyond the last is the last."""
    query, ids = _page(order, query)
    if query.kind is not RigKind.ASIC:
        return query, {"rows": ids}
    if query.health is Health.WAITING:
        return query, {"rows": [], "waiting-rows": ids}
    return query, {"rows": ids, "waiting-rows": order.waiting[:PER_PAGE]}


def _page(order: RowOrder, query: IndexQuery) -> tuple[IndexQuery, list[int]]:
    if query.whole:
        return query.but(), order.ids[:WHOLE]
    page = min(query.page, pages(order))
    return query.but(page=page), order.ids[(page - 1) * PER_PAGE : page * PER_PAGE]


def pages(order: RowOrder) -> int:
    return max(1, -(-len(order.ids) // PER_PAGE))


def _listed(found: Iterable[RigState], query: IndexQuery) -> list[RigState]:
    """Returns the rigs that pass the filters, without those that stand apart."""
    if query.health:
        found = [state for state in found if state.health is query.health]
    elif query.waiting_apart:
        found = [state for state in found if state.health is not Health.WAITING]
    return [state for state in found if state.faults] if query.faulty else list(found)


def ordered(rigs: list[RigState], query: IndexQuery, ranks: Mapping[int, int]) -> list[int]:
    """Returns ids by what is sorted by, then by name; a rig without the metric comes last in both directions."""
    if query.sort is Sort.NAME:
        return sorted([state.id for state in rigs], key=ranks.__getitem__, reverse=query.descending)
    metric = FIGURES[query.sort]
    known, unknown = [], []
    for state in rigs:
        value = metric(state)
        if value is None:
            unknown.append(state.id)
        else:
            known.append((-value if query.descending else value, ranks[state.id], state.id))
    return [rig_id for *_, rig_id in sorted(known)] + sorted(unknown, key=ranks.__getitem__)


class NameRanks:
    """The place of each rig in the order of names, worked out again when a rig comes, goes or is renamed."""

    def __init__(self, index: OperationalIndex) -> None:
        self._index = index
        self._of = (-1, 0, 0)
        self._ranks: dict[int, int] = {}

    def now(self) -> Mapping[int, int]:
        rigs = self._index.rigs
        now = (self._index.renamed_at, len(rigs), next(reversed(rigs), 0))  # ids are never given twice
        if now != self._of:
            in_order = sorted(rigs.values(), key=_by_name)
            self._of, self._ranks = now, {state.id: rank for rank, state in enumerate(in_order)}
        return self._ranks


@lru_cache(maxsize=2**15)
def _natural(name: str) -> list[str | int]:
    """ "rig-9" before "rig-10": words and numbers take turns, so that like is compared with like."""
    return [int(part) if at % 2 else part for at, part in enumerate(_DIGITS.split(name.casefold()))]


def _by_name(state: RigState) -> tuple[list[str | int], int]:
    return _natural(state.name), state.id


def _hashrate(state: RigState) -> float | None:
    return max((value for value in state.summary.hashrates_hs.values() if value is not None), default=None)


def _health(state: RigState) -> float:
    """Returns how bad it is: a rig that reports and is ill comes behind those that are offline."""
    is_ill = state.health in (Health.STALE, Health.ONLINE) and bool(state.faults)
    return ILL if is_ill else WORST_FIRST[state.health]


ILL = 1
WORST_FIRST = {Health.OFFLINE: 0, Health.STALE: 2, Health.WAITING: 3, Health.ONLINE: 4}
BY_NAME = IndexQuery()
FIGURES: dict[Sort, Callable[[RigState], float | None]] = {
    Sort.HEALTH: _health,
    Sort.HASHRATE: _hashrate,
    Sort.POWER: lambda state: state.summary.power_w,
    Sort.TEMPERATURE: lambda state: state.summary.temperature_c,
    Sort.REJECTED: lambda state: state.summary.rejected_percent,
    Sort.UPTIME: lambda state: state.summary.uptime_s,
    Sort.SEEN: lambda state: None if state.health is Health.WAITING else -state.reported_s,
}
