"""Rigs that somebody has ticked on an index page, as its forms name them."""

import re
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import parse_qsl

from litestar.datastructures import FormMultiDict

from commander.rig_pages.listing import IndexQuery
from commander.rig_pages.live_views import RigViews

RIGS_NAMED = 3
_RANGES = re.compile(r"(?:\d{1,10}(?:-\d{1,10})?,?)*")


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


def ranges_text(ids: Iterable[int]) -> str:
    """Returns "1-50,52": thousands of ids in a form are short like this."""
    ranges = list[list[int]]()
    for rig_id in sorted(ids):
        if ranges and rig_id == ranges[-1][1] + 1:
            ranges[-1][1] = rig_id
        else:
            ranges.append([rig_id, rig_id])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)


def ids_in_ranges(text: str, known: Iterable[int]) -> set[int]:
    """Returns those of the known ids that the ranges hold; a text that is no ranges holds none."""
    if not _RANGES.fullmatch(text):
        return set()
    parts = [part.partition("-") for part in text.split(",") if part]
    ranges = [(int(first), int(last or first)) for first, _, last in parts]
    single = {first for first, last in ranges if first == last}
    wide = [(first, last) for first, last in ranges if first != last]
    return {each for each in known if each in single or any(first <= each <= last for first, last in wide)}


def names_text(names: list[str]) -> str:
    """Returns "rig-01, rig-02, rig-03 and 210 more"."""
    more = f" and {len(names) - RIGS_NAMED:,} more" if len(names) > RIGS_NAMED else ""
    return f"{', '.join(names[:RIGS_NAMED])}{more}"
