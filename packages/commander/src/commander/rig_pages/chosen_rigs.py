"""Rigs that somebody has ticked on an index page, as its forms name them."""

from typing import NamedTuple
from urllib.parse import parse_qsl

from litestar.datastructures import FormMultiDict
from protocol import units

from commander.rig_pages.listing import IndexQuery
from commander.rig_pages.live_views import RigViews
from commander.selections.ranges import ids_in_ranges, ranges_text

RIGS_NAMED = 3


class ChosenRigs(NamedTuple):
    """The rigs, in the order of the page, and how the page is looked at."""

    ids: list[int]
    query: IndexQuery

    @property
    def text(self) -> str:
        """The ids as forms hold them."""
        return ranges_text(self.ids)


def chosen_rigs(views: RigViews, form: FormMultiDict) -> ChosenRigs:
    """Reads `rigs` (ids), or all that the page lists with `every`; `back` is the page's query string.

    A rig that was removed meanwhile is passed over.
    """
    query = page_query(views, str(form.get("back", "")))
    order = views.orders.standing(query)
    listed = [*order.waiting, *order.ids]
    wanted = set(listed) if form.get("every") else ids_in_ranges(str(form.get("rigs", "")), views.index.rigs)
    known = set(listed)
    ids = [rig_id for rig_id in listed if rig_id in wanted] + sorted(wanted - known)
    return ChosenRigs(ids, query)


def page_query(views: RigViews, text: str) -> IndexQuery:
    """Returns how the page with this query string is looked at; the usual index, if no link of ours says it."""
    try:
        return views.query(dict(parse_qsl(text.removeprefix("?"))))
    except ValueError:
        return views.query({})


def selection_of_all(form: FormMultiDict, chosen: ChosenRigs) -> str:
    """Returns the selection of all that the page lists, if the form means all of them; empty if it names its rigs."""
    query = chosen.query
    if not form.get("every") or query.faulty:
        return ""
    return " ".join(filter(None, (query.select or "name:*", f"health:{query.health}" if query.health else "")))


def names_text(names: list[str]) -> str:
    """Returns "rig-01, rig-02, rig-03 and 210 more"."""
    return units.listed(names, RIGS_NAMED)
