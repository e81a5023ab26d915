"""The page `/alerts`, made of parts that belong to several nouns.

A noun's `build(core)` calls `core.alerts.add(AlertsPart(…))`, and its actions call `core.alerts.changed()` after each
commit that its part shows. Its template has two macros: `section(data)` is one element with the id "alerts-NAME", and
`dialog(dialog)` the dialog that is open. Its forms post to addresses of its own and answer with
`alerts_page.show(…)` if something is wrong, else with a redirect to `/alerts`.
"""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from markupsafe import Markup

from commander.live.cluster import Cluster
from commander.live.source import LiveSource, LiveView, Query
from commander.web.shell import Fragments, Html, Page, Section, macro, page

HOME = "/alerts"
SECTION = Section("Alerts", HOME, icon="M6 17v-6a6 6 0 0 1 12 0v6l2 2H4zM10 22h4")
WRONG = 422


class OpenDialog(NamedTuple):
    """A dialog of a part. `url` is its address; `is_wrong`: the form in it could not be saved."""

    part: str
    data: object
    url: str = ""
    is_wrong: bool = False


class AlertsPart(NamedTuple):
    """A section of the page. Sections stand in the order of `position`.

    `load` reads what the section shows. `find_dialog` returns the data of the dialog that the page's address asks for,
    as in `/alerts?dialog=add-channel`; None: it asks for none of this part. Both get the address's query.
    """

    name: str
    position: int
    template: str
    load: Callable[[Query], Awaitable[object]]
    find_dialog: Callable[[Query], Awaitable[object | None]]


class AlertsPage:
    """All parts of the page."""

    def __init__(self, cluster: Cluster) -> None:
        self._live = LiveSource("alerts", cluster)
        self._parts: list[AlertsPart] = []

    def add(self, part: AlertsPart) -> None:
        self._parts = sorted([*self._parts, part], key=lambda each: each.position)

    def changed(self) -> None:
        """Call it after each commit that the page shows."""
        self._live.changed()

    def live_view(self) -> LiveView:

        async def render(query: Query) -> Fragments:
            return {name: str(html) for name, html in (await self._fragments(query)).items()}

        return self._live.view("alerts", render)

    async def show(self, query: Query, dialog: OpenDialog | None = None) -> Html:
        """Returns the page with the dialog, or with that of its address."""
        stamp = self._live.stamp()
        dialog = dialog or await self._find_dialog(query)
        sections = await self._fragments(query)
        template = next((part.template for part in self._parts if dialog and part.name == dialog.part), "")
        is_wrong = dialog is not None and dialog.is_wrong
        about = Page(
            title=SECTION.label,
            section=SECTION,
            live="/live?view=alerts",
            seq=stamp,
            url=dialog.url if dialog and is_wrong else "",
        )
        return page(
            "notifications/alerts.html",
            about,
            status=WRONG if is_wrong else 200,
            sections=list(sections.values()),
            dialog=macro(template, "dialog", dialog.data) if dialog else "",
        )

    async def _fragments(self, query: Query) -> dict[str, Markup]:
        return {part.name: macro(part.template, "section", await part.load(query)) for part in self._parts}

    async def _find_dialog(self, query: Query) -> OpenDialog | None:
        for part in self._parts:
            data = await part.find_dialog(query)
            if data is not None:
                return OpenDialog(part.name, data)
        return None
