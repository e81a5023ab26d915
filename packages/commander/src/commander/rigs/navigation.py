"""The links around the index's rows: sorting, filtering, paging."""

from dataclasses import dataclass

from commander.live.operational_index import Health, OperationalIndex
from commander.rigs.listing import PER_PAGE, WHOLE, IndexQuery, Order, Sort, pages, shown

HEALTH_LABELS = {
    Health.ONLINE: "Online",
    Health.STALE: "Stale",
    Health.OFFLINE: "Offline",
    Health.WAITING: "Waiting",
}
# What is looked for first: high figures, but the name's beginning, the worst health, the youngest log.
COLUMNS = (
    ("Name", Sort.NAME, False, "name"),
    ("Health", Sort.HEALTH, False, "health"),
    ("Hashrate", Sort.HASHRATE, True, "n work"),
    ("Temp.", Sort.TEMPERATURE, True, "n"),
    ("Fan", None, False, "n"),
    ("Power", Sort.POWER, True, "n"),
    ("Rejected", Sort.REJECTED, True, "n rejected"),
    ("Uptime", Sort.UPTIME, False, "n uptime"),
    ("Last seen", Sort.SEEN, False, "n seen"),
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


def columns(query: IndexQuery) -> list[Column]:
    return [_column(query, *column) for column in COLUMNS]


def _column(query: IndexQuery, label: str, sort: Sort | None, high_first: bool, style: str) -> Column:
    if sort is None:
        return Column(label, style, "", "")
    current = sort is query.sort
    href = query.but(sort=sort, descending=not query.descending if current else high_first).address()
    direction = ("desc" if query.descending else "asc") if current else ""
    return Column(label, style, href, direction)


def health_links(order: Order, query: IndexQuery) -> list[Link]:
    everything = query.but(health=None)
    links = [Link("All", everything.address(), str(order.counts.total()), query.health is None)]
    for health, label in HEALTH_LABELS.items():
        href = query.but(health=health).address()
        links.append(Link(label, href, str(order.counts[health]), query.health is health))
    return links


def pager(order: Order, query: IndexQuery) -> Pager:
    query, ids = shown(order, query)
    first = (query.page - 1) * PER_PAGE
    span = f"{first + 1}–{first + len(ids)} of " if len(ids) < len(order.ids) else ""
    text = f"{span}{len(order.ids)} {'rig' if len(order.ids) == 1 else 'rigs'}" if ids else ""
    return Pager(text, _page_links(order, query))


def _page_links(order: Order, query: IndexQuery) -> list[Link]:
    """The first, the last and the pages around this one, as far as there are any."""
    last = pages(order)
    if last == 1:
        return []
    if query.whole:
        return [Link(f"{PER_PAGE} a page", query.but(whole=False).address())]
    near = sorted({1, last, *(page for page in range(query.page - 1, query.page + 2) if 1 <= page <= last)})
    links = [Link(str(page), query.but(page=page).address(), current=page == query.page) for page in near]
    label = "All on one page" if len(order.ids) <= WHOLE else f"First {WHOLE:,} on one page"
    return [*links, Link(label, query.but(whole=True).address())]


def empty_state(order: Order, index: OperationalIndex) -> str:
    if order.ids:
        return ""
    return "search" if index.rigs else "farm"
