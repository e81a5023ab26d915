"""A saved view for a wall screen: its rows and their counts, and nothing that leads to another page.

It shows nothing of rigs that the view does not select, so it has no totals of the farm.
"""

import re
from collections.abc import Hashable, Mapping
from urllib.parse import parse_qsl

from commander.registry.kinds import RigKind
from commander.rig_pages.listing import IndexQuery, RowOrder
from commander.rig_pages.live_views import IndexView, RigViews
from commander.rig_pages.navigation import NOUNS, empty_state, health_links, no_match, pager, waiting_link
from commander.saved_views.domain import ViewLink
from commander.web.shell import Fragments, macro

TEMPLATE = "rig_pages/wall_fragments.html"
_TICK_OR_MENU = re.compile(r'<div class="cell (?:tick|buttons)"[^>]*>.*?</div>\s*', re.DOTALL)
_LINK = re.compile(r"<a\b(?P<tag>[^>]*)>(?P<inside>.*?)</a>", re.DOTALL)
_CLASS = re.compile(r'\bclass="[^"]*"')

Walls = Mapping[RigKind, RigViews]


def without_links(html: str) -> str:
    """Returns rows without ticks and menus; of their links the text stays.

    It relies on what holds for the rows' templates: no link lies inside a link, and attributes hold no ">".
    """
    return _LINK.sub(_as_text, _TICK_OR_MENU.sub("", html))


def _as_text(link: re.Match[str]) -> str:
    style = _CLASS.search(link["tag"])
    return f"<span{f' {style[0]}' if style else ''}>{link['inside']}</span>"


def wall_query(views: RigViews, link: ViewLink) -> IndexQuery:
    """Returns what the link's view shows.

    Raises `ValueError` for a view of an earlier version that can't be read: the usual index would show other rigs.
    """
    return views.query(dict(parse_qsl(link.query)))


def wall_key(query: IndexQuery) -> Hashable:
    """Returns the key under which viewers share a `WallView`."""
    return "wall", query


def wall_parts(views: RigViews, order: RowOrder, query: IndexQuery) -> Fragments:
    """Returns the parts of the page around the rows. Other counts than that of the view would be of rigs outside it."""
    links = health_links(order, query)
    if query.health or query.faulty:
        links = [each for each in links if each.current]
    parts = {
        "counts": macro(TEMPLATE, "counts", links),
        "total": macro(TEMPLATE, "total", pager(order, query).text),
        "empty": macro(TEMPLATE, "empty", _why_empty(views, order, query)),
    }
    if query.kind is RigKind.ASIC:
        parts["waiting"] = macro(TEMPLATE, "waiting", waiting_link(order, query).label)
    return dict(parts)


def _why_empty(views: RigViews, order: RowOrder, query: IndexQuery) -> str:
    state = empty_state(order, views.index)
    if state == "search":
        return no_match(query)
    return f"No {NOUNS[query.kind][0]} reports yet." if state else ""


class WallView(IndexView):
    """The frames of a wall screen's page."""

    def catch_up(self, since: int) -> str | None:
        html = super().catch_up(since)
        return None if html is None else without_links(html)

    def step(self, since: int, now_s: float) -> str | None:
        html = super().step(since, now_s)
        return None if html is None else without_links(html)

    def _around_now(self) -> Fragments:
        return wall_parts(self._views, self._order, self._query)

    def _renames(self, since: int) -> list[str]:
        return []

    def _totals_now(self) -> tuple[str, ...]:
        return ()

    def _due_farm_now(self, now_s: float) -> list[str]:
        return []
