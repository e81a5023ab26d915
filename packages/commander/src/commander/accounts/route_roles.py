"""The least role that each route needs: one table for pages, the API and WebSockets.

A line is an address and, for each method, a role:

    /tags          GET view
    /tags/import   POST operate
    ?view=tags     WS view

Each noun has the lines of its routes in its `noun.py`. Those of the parts that all nouns share are here. `set_rights`
makes one table of all. A route that is not in the table needs `own`. Routes that need no log-in are not in it: their
handlers say `opt={OPEN: True}`.

`{…}` stands for one part of an address. An address without it wins over one with it, so a line may also be about a part
of a route: `…/{playbook_id}/pause`. `?dialog=tags` is a dialog on any page, `?view=tags` is what an open page follows,
at `/live?view=tags`.

`confirmed`: it moves money or gives access, so a person types the password again if that was more than 10 minutes ago
(`web/step_up.py`). Playbooks of more than ten rigs need that too: `Confirmations.check_for_rigs`.

Some rights depend on what a request says, not on its address. Its handler then calls `check_role`: to rename a rig,
and for the commands `shutdown` and `update_sentry`.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import parse_qs

from commander.accounts.domain import Role

SOCKET = "WS"
LIVE = "/live"
_SHARED = """
/api/v1/asic-rigs/{rig_id}/history     GET view
/api/v1/asic-stats/history             GET view
/api/v1/cpu-gpu-rigs/{rig_id}/history  GET view
/api/v1/cpu-gpu-stats/history          GET view
/api/v1/events                         WS view
/live                                  WS view
/metrics                               GET metrics
/schema/openapi.json                   GET view
/schema/raw                            GET view
/schema/raw/elements                   GET view
/schema/raw/oauth2-redirect.html       GET view
/schema/raw/openapi.json               GET view
/schema/raw/openapi.yaml               GET view
/schema/raw/openapi.yml                GET view
/schema/raw/rapidoc                    GET view
/schema/raw/redoc                      GET view
/schema/raw/swagger                    GET view
/schema/raw/{path}                     GET view
"""
_PART = re.compile(r"\{\w+\}")
Route = tuple[str, str]  # method and address


class Right(NamedTuple):
    """The least role for a route, and whether a person has to confirm it by the password."""

    role: Role
    is_confirmed: bool = False


class RightsTable:
    """The right of each route. Raises `ValueError` for two lines about one method of one address."""

    def __init__(self, lines: Iterable[str]) -> None:
        rights = [each for line in lines for each in _rights_in(line)]
        if twice := [route for route, count in Counter(route for route, _ in rights).items() if count > 1]:
            raise ValueError(f"These routes have two rights: {twice}.")
        self.rights = dict(rights)
        self._matchers = _matchers(self.rights)
        self._matching = lru_cache(maxsize=4096)(self._find)

    def right(self, method: str, path: str) -> Right:
        """Returns the right of an address. `path` may also be a dialog or a view, such as `?dialog=tags`."""
        if path.startswith("?"):  # a request may name thousands
            return self.rights.get((method, path), Right(Role.OWN))
        return self._matching(method, path)

    def _find(self, method: str, path: str) -> Right:
        matching = (right for pattern, right in self._matchers.get(method, ()) if pattern.fullmatch(path))
        return next(matching, Right(Role.OWN))


def _rights_in(line: str) -> list[tuple[Route, Right]]:
    path, rest = line.split(maxsplit=1)
    rights = (each.split() for each in rest.split(", "))
    return [((method, path), Right(Role(role), more == ["confirmed"])) for method, role, *more in rights]


def _matchers(rights: Mapping[Route, Right]) -> dict[str, list[tuple[re.Pattern[str], Right]]]:
    """Returns by method what matches an address, those with the fewest `{…}` first."""
    found = defaultdict(list)
    for (method, path), right in sorted(rights.items(), key=lambda each: each[0][1].count("{")):
        pattern = "[^/]+".join(re.escape(text) for text in _PART.split(path))
        found[method].append((re.compile(pattern), right))
    return found


@lru_cache(maxsize=8)
def _table_of(texts: tuple[str, ...]) -> RightsTable:
    return RightsTable(line for text in (_SHARED, *texts) for line in text.strip().splitlines())


_tables: list[RightsTable] = []  # at most one: that of this process


def set_rights(texts: Iterable[str]) -> None:
    """Makes the table of this process, of the lines of all nouns. Raises `ValueError`, see `RightsTable`."""
    _tables[:] = [_table_of(tuple(texts))]


def table() -> RightsTable:
    """Returns the table of this process. Before `set_rights` there is none: that is an `IndexError`."""
    return _tables[0]


def least_role(method: str, path: str, query: str = "") -> Role:
    """Returns the least role for a request to this address; of several dialogs or views the highest one counts."""
    name = "view" if (method, path) == (SOCKET, LIVE) else "dialog"
    named = parse_qs(query).get(name, []) if method in ("GET", SOCKET) else []
    addresses = (path, *(f"?{name}={each}" for each in named))
    return max((table().right(method, each).role for each in addresses), key=list(Role).index)


def needs_confirmation(method: str, path: str) -> bool:
    """Returns whether a person has to type their password again for this request, if that was some time ago."""
    return table().right(method, path).is_confirmed
