"""The links around the index's rows: sorting, filtering, paging."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlencode

from protocol import units

from commander.live.operational_index import OperationalIndex
from commander.live.rig_state import Health
from commander.registry.kinds import RigKind
from commander.rig_pages.columns import LABELS, extra_columns
from commander.rig_pages.listing import PER_PAGE, WHOLE, IndexQuery, RowOrder, Sort, pages, shown
from commander.rig_pages.selected import selection_problem
from commander.saved_views.domain import view_address
from commander.saved_views.store import SavedView
from commander.selections.domain import quoted

HEALTH_LABELS = {
    Health.ONLINE: "Online",
    Health.STALE: "Stale",
    Health.OFFLINE: "Offline",
    Health.WAITING: "Waiting",
}
NOUNS = {RigKind.CPU_GPU: ("rig", "rigs"), RigKind.ASIC: ("ASIC", "ASICs")}


class Heading(NamedTuple):
    """`high_first`: what is looked for first are high figures, not the name's beginning or the youngest log."""

    label: str
    sort: Sort | None
    high_first: bool
    style: str


HEADINGS = (
    Heading("Name", Sort.NAME, False, "name"),
    Heading("Health", Sort.HEALTH, False, "health"),
    Heading("Hashrate", Sort.HASHRATE, True, "n work"),
    Heading("Temp.", Sort.TEMPERATURE, True, "n temp"),
    Heading("Fan", None, False, "n fan"),
    Heading("Power", Sort.POWER, True, "n power"),
    Heading("Rejected", Sort.REJECTED, True, "n rejected"),
    Heading("Uptime", Sort.UPTIME, False, "n uptime"),
    Heading("Last seen", Sort.SEEN, False, "n seen"),
)


@dataclass(frozen=True, slots=True)
class Link:
    label: str
    href: str
    count: str = ""
    current: bool = False


@dataclass(frozen=True, slots=True)
class Pager:
    text: str
    links: list[Link]


@dataclass(frozen=True, slots=True)
class Column:
    """`direction` is empty for a column that is not sorted by; `href` for one that can't be."""

    label: str
    style: str
    href: str
    direction: str


def columns(query: IndexQuery, headings: Iterable[Heading]) -> list[Column]:
    return [_column(query, heading) for heading in headings]


def extra_headings(query: IndexQuery) -> list[Column]:
    """Returns the heads of the columns that are not usual; none of them is sorted by."""
    return [Column(LABELS[key], f"extra {key}", "", "") for key in extra_columns(query.columns, query.kind)]


@dataclass(frozen=True, slots=True)
class SavedLink:
    """A saved view. `remove_href` opens the dialog that removes it; `link_href` leads to the form for a view link.

    Both are empty unless the page shows this view now.
    """

    label: str
    href: str
    remove_href: str
    link_href: str
    current: bool


def saved_links(saved: Iterable[SavedView], query: IndexQuery) -> list[SavedLink]:
    here = urlencode(query.but().parameters())
    return [
        SavedLink(
            view.name,
            view_address(query.kind, view.query),
            query.address(dialog="view-remove", view=view.id) if view.query == here else "",
            f"/access?dialog=view-link&view={view.id}" if view.query == here else "",
            view.query == here,
        )
        for view in saved
    ]


def _column(query: IndexQuery, heading: Heading) -> Column:
    label, sort, high_first, style = heading
    if sort is None:
        return Column(label, style, "", "")
    current = sort is query.sort
    href = query.but(sort=sort, descending=not query.descending if current else high_first).address()
    direction = ("desc" if query.descending else "asc") if current else ""
    return Column(label, style, href, direction)


def health_links(order: RowOrder, query: IndexQuery) -> list[Link]:
    everything = query.but(health=None, faulty=False)
    chosen = None if query.faulty else query.health
    links = [Link("All", everything.address(), units.count_text(order.counts.total()), everything == query.but())]
    for health, label in HEALTH_LABELS.items():
        href = everything.but(health=health).address()
        links.append(Link(label, href, units.count_text(order.counts[health]), chosen is health))
    faulty = everything.but(faulty=True).address()
    links.append(Link("With faults", faulty, units.count_text(order.faulty), query.faulty))
    return links


def pager(order: RowOrder, query: IndexQuery) -> Pager:
    query, places = shown(order, query)
    count = len(places["rows"] or (places.get("waiting-rows", []) if order.ids else []))
    first = (query.page - 1) * PER_PAGE
    span = f"{units.count_text(first + 1)}–{units.count_text(first + count)} of " if count < len(order.ids) else ""
    text = f"{span}{counted(len(order.ids), query.kind)}" if count else ""
    return Pager(text, _page_links(order, query))


def counted(number: int, kind: RigKind) -> str:
    one, many = NOUNS[kind]
    return f"{units.count_text(number)} {one if number == 1 else many}"


def _page_links(order: RowOrder, query: IndexQuery) -> list[Link]:
    """The first, the last and the pages around this one, as far as there are any."""
    last = pages(order)
    if last == 1:
        return []
    if query.whole:
        return [Link(f"{PER_PAGE} a page", query.but(whole=False).address())]
    near = sorted({1, last, *(page for page in range(query.page - 1, query.page + 2) if 1 <= page <= last)})
    links = [Link(str(page), query.but(page=page).address(), current=page == query.page) for page in near]
    label = "All on one page" if len(order.ids) <= WHOLE else f"First {units.count_text(WHOLE)} on one page"
    return [*links, Link(label, query.but(whole=True).address())]


def empty_state(order: RowOrder, index: OperationalIndex) -> str:
    """Returns why no rows are shown: `farm` (no rigs at all), `waiting` (none has reported), `search`; else ""."""
    if order.ids:
        return ""
    if not index.rigs:
        return "farm"
    return "waiting" if order.waiting and order.counts.total() == len(order.waiting) else "search"


def match_text(order: RowOrder, query: IndexQuery, index: OperationalIndex) -> str:
    """Returns "12 of 2,000 rigs match"; empty without a selection."""
    if not query.select:
        return ""
    matching, verb = order.counts.total(), "matches" if order.counts.total() == 1 else "match"
    return f"{units.count_text(matching)} of {counted(len(index.rigs), query.kind)} {verb}"


def no_match(query: IndexQuery) -> str:
    """Says that no rig matches the search and the filter: "No ASIC has a fault." or "No rig matches “x”."."""
    noun, health = NOUNS[query.kind][0], query.health
    if problem := selection_problem(query.select, query.kind):
        return problem
    if query.select:
        which = " with a fault" if query.faulty else f" in the state {HEALTH_LABELS[health]}" if health else ""
        return f"No {noun}{which} matches {quoted(query.select)}."
    if query.faulty:
        return f"No {noun} has a fault."
    return f"No {noun} is waiting for its sentry." if health is Health.WAITING else f"No {noun} is {health}."


def waiting_link(order: RowOrder, query: IndexQuery) -> Link:
    """Returns the line above waiting rigs: their number, and a link to all of them if some are not shown."""
    total = order.counts[Health.WAITING]
    more = len(order.waiting) > PER_PAGE
    verb = "waits" if total == 1 else "wait"
    label = f"{counted(total, query.kind)} {verb} for {'its' if total == 1 else 'their'} sentry"
    return Link(label, query.but(health=Health.WAITING).address() if more else "", f"All {units.count_text(total)}")
