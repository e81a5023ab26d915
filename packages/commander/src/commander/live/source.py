"""Live pages that belong to no kind of rig, such as a list of commands or of incidents.

A noun makes one `LiveSource` and calls `changed()` after each commit. Each of its live pages is a view of that source,
with a function that renders the page's fragments:

    source = LiveSource("incidents", cluster)
    source.view("incidents", render)  # open pages: /live?view=incidents&seq=…

The live loop renders once for all viewers of the same page, and sends the fragments that differ.
"""

from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass

from commander.live.cluster import Cluster, Topic
from commander.live.frames import NEVER, RESYNC, Frames, View
from commander.live.rigs import LiveRigs
from commander.web.shell import Fragments

Query = Mapping[str, str]
Render = Callable[[Query], Awaitable[Fragments]]


@dataclass(frozen=True, slots=True)
class LiveView:
    """The source of an open page's frames. The page names it in the address of its WebSocket: `/live?view=NAME&…`.

    `source` is where its changes come from. `find` returns, for the WebSocket's query, the key under which viewers
    share a view, and a function that makes the view. It raises `ValueError` for a query that no page has.
    """

    name: str
    source: "LiveRigs | LiveSource"
    find: Callable[[Query], tuple[Hashable, Callable[[], View]]]


PAGES = Topic("pages", str)  # a `LiveSource` by its name: its pages show something else now


class LiveViews:
    """All live views, by name."""

    def __init__(self, views: Iterable[LiveView]) -> None:
        self._by_name = {view.name: view for view in views}

    def find(self, query: Query) -> tuple[Frames, Hashable, Callable[[], View]]:
        """Returns what a page's WebSocket joins: the frames, the key of the view, and a function that makes it.

        Raises `ValueError` for a query that no page has.
        """
        view = self._by_name.get(query.get("view", ""))
        if view is None:
            raise ValueError("no page has this view")
        key, make_view = view.find(query)
        return view.source.frames, (view.name, key), make_view

    def sources(self) -> list["LiveSource"]:
        """Returns the sources that are no rigs, each once."""
        sources = dict.fromkeys(view.source for view in self._by_name.values())
        return [source for source in sources if isinstance(source, LiveSource)]


class LiveSource:
    """The changes of one noun, and the pages that show them. `name` is the same at all web nodes of the farm."""

    def __init__(self, name: str, cluster: Cluster) -> None:
        self.name = name
        self.frames = Frames(lambda: self._number)
        self._number = 0  # of the last change that all open views have rendered
        self._changes = 0
        self._cluster = cluster
        cluster.subscribe(PAGES, self._changed_elsewhere)
        cluster.on_gap(self._news_missed)

    def changed(self) -> None:
        """Call it after each commit that a page shows. The pages of all web nodes follow soon."""
        self._changes += 1
        self._cluster.publish(PAGES, self.name)

    def changed_here(self) -> None:
        """Call it for what all web nodes notice by themselves."""
        self._changes += 1

    @property
    def changes(self) -> int:
        """The number of changes so far, those of other web nodes included."""
        return self._changes

    def stamp(self) -> str:
        """Returns what a page that is rendered now has seen. Ask for it before the page's data is read."""
        return self.frames.stamp()

    def view(self, name: str, render: Render, check: Callable[[Query], None] = lambda query: None) -> LiveView:
        """Returns a live page of this source. `check` raises `ValueError` for a query that `render` can't take."""

        def find(query: Query) -> tuple[Hashable, Callable[[], View]]:
            own = {key: value for key, value in query.items() if key not in ("view", "seq")}
            check(own)
            return tuple(sorted(own.items())), lambda: FragmentsView(render, own, self._number)

        return LiveView(name, self, find)

    async def tick(self, now_s: float) -> None:
        """Renders each open view that the newest change may concern, and sends what differs."""
        number = self._changes
        while waiting := [view for view in self._views() if view.rendered_at < number]:  # a view may open meanwhile
            for view in waiting:
                await view.render(number)
        self._number = number
        self.frames.tick(now_s)

    def _views(self) -> list["FragmentsView"]:
        return [view for view in self.frames.views() if isinstance(view, FragmentsView)]

    def _changed_elsewhere(self, name: str) -> None:
        if name == self.name:
            self._changes += 1

    def _news_missed(self) -> None:
        """Counts as a change: another node may have made one."""
        self._changes += 1


class FragmentsView(View):
    """One page of a `LiveSource`, shared by all viewers with the same query.

    Each fragment has the number of the change with which it last differed. The first rendering is taken for what pages
    of that moment show. With the second all fragments are sent: a change may have been committed between a page's
    reading and the first rendering, while its `changed()` came only afterwards.
    """

    def __init__(self, render: Render, query: Query, number: int) -> None:
        self.rendered_at = -1
        self._render = render
        self._query = query
        self._made_at = number
        self._is_first = True
        self._fragments: Fragments = {}
        self._differed_at: dict[str, int] = {}

    async def render(self, number: int) -> None:
        fragments = await self._render(self._query)
        for name, html in fragments.items():
            if self._is_first or self._fragments.get(name) != html:
                self._differed_at[name] = number
        self._is_first = self.rendered_at < 0
        self._fragments, self.rendered_at = fragments, number

    def catch_up(self, since: int) -> str | None:
        if self.rendered_at < 0:
            return RESYNC if NEVER < since < self._made_at else None
        return "".join(html for name, html in self._fragments.items() if self._differed_at[name] > since) or None

    def step(self, since: int, now_s: float) -> str | None:
        return self.catch_up(since)
