"""Live pages that belong to no kind of rig: rendered once for all who look, and sent when they differ."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from commander.live.cluster import K, Topic
from commander.live.frames import RESYNC, Viewer
from commander.live.source import PAGES, LiveSource, LiveViews, Query
from commander.web.shell import Fragments


@dataclass
class Nodes:
    """A cluster of two nodes that keeps what is published until a test hands it on."""

    published: list[tuple[str, object]] = field(default_factory=list)
    subscribers: list[Callable[[str], None]] = field(default_factory=list)
    gaps: list[Callable[[], None]] = field(default_factory=list)

    def publish(self, topic: Topic[K], key: K) -> None:
        self.published.append((topic.name, key))

    def subscribe(self, topic: Topic[K], on_news: Callable[[K], None]) -> None:
        self.subscribers.append(on_news)  # type: ignore[arg-type]  # of one topic only: pages

    def on_gap(self, news_missed: Callable[[], None]) -> None:
        self.gaps.append(news_missed)


@dataclass
class Notes:
    """A noun that keeps texts: its page shows how many there are, and those that begin with a letter."""

    cluster: Nodes = field(default_factory=Nodes)
    texts: list[str] = field(default_factory=list)
    rendered: int = 0

    def __post_init__(self) -> None:
        self.source = LiveSource("notes", self.cluster)
        self.views = LiveViews([self.source.view("notes", self.render, self.check)])

    def add(self, text: str) -> None:
        self.texts.append(text)
        self.source.changed()

    async def render(self, query: Query) -> Fragments:
        self.rendered += 1
        chosen = [text for text in self.texts if text.startswith(query.get("letter", ""))]
        return {"count": f"<b>{len(self.texts)}</b>", "list": f"<i>{' '.join(chosen)}</i>"}

    def check(self, query: Query) -> None:
        if len(query.get("letter", "")) > 1:
            raise ValueError("one letter only")

    def open(self, letter: str = "", stamp: str | None = None) -> Viewer:
        query = {"view": "notes", "seq": "", **({"letter": letter} if letter else {})}
        frames, key, make_view = self.views.find(query)
        return frames.join(key, make_view, session="1", stamp=stamp or self.source.stamp())


def html(viewer: Viewer) -> str:
    """Returns the HTML of all frames that wait for the viewer."""
    frames = [viewer.outbox.get_nowait() for _ in range(viewer.outbox.qsize())]
    return "".join((frame or "").partition("\n")[2] for frame in frames)


async def test_a_page_is_sent_what_a_change_makes_different() -> None:
    notes = Notes()
    viewer = notes.open()
    await notes.source.tick(0)
    assert html(viewer) == ""
    notes.add("ape")
    await notes.source.tick(1)
    assert html(viewer) == "<b>1</b><i>ape</i>"


async def test_after_the_first_change_only_the_fragments_that_differ_are_sent() -> None:
    notes = Notes()
    viewer = notes.open("b")
    for text in ("ape", "bee", "cow"):
        notes.add(text)
        await notes.source.tick(0)
        sent = html(viewer)
    assert sent == "<b>3</b>"


async def test_a_change_is_rendered_once_for_all_who_look_at_the_same() -> None:
    notes = Notes()
    viewers = [notes.open(), notes.open(), notes.open("b")]
    await notes.source.tick(0)
    notes.rendered = 0
    notes.add("ape")
    await notes.source.tick(1)
    await notes.source.tick(2)
    assert notes.rendered == 2
    assert [html(viewer)[:8] for viewer in viewers] == ["<b>1</b>"] * 3


async def test_a_change_that_nobody_looks_at_costs_no_rendering() -> None:
    notes = Notes()
    notes.add("ape")
    await notes.source.tick(0)
    assert notes.rendered == 0


async def test_a_page_that_was_made_before_a_change_starts_again() -> None:
    notes = Notes()
    stamp = notes.source.stamp()
    notes.add("ape")
    await notes.source.tick(0)
    viewer = notes.open(stamp=stamp)
    assert viewer.outbox.get_nowait() == notes.source.stamp() + "\n" + RESYNC


async def test_a_page_made_during_a_change_that_was_announced_late_is_sent_it() -> None:
    """The page read before the commit, its view was first rendered after it, and only then `changed` was called."""
    notes = Notes()
    viewer = notes.open()
    notes.texts.append("ape")
    await notes.source.tick(0)
    notes.source.changed()
    await notes.source.tick(1)
    assert html(viewer) == "<b>1</b><i>ape</i>"


async def test_a_page_that_opens_while_others_are_rendered_misses_nothing() -> None:
    notes = Notes()
    first, opened = notes.open(), list[Viewer]()
    await notes.source.tick(0)
    render = notes.render

    async def slow(query: Query) -> Fragments:
        if not opened:
            opened.append(notes.open("a"))
        return await render(query)

    notes.views = LiveViews([notes.source.view("notes", slow)])
    watching = notes.open("x")
    await notes.source.tick(1)
    notes.add("ape")
    await notes.source.tick(2)
    assert "<i>ape</i>" in html(first)
    assert "<i>ape</i>" in html(opened[0])
    assert "<b>1</b>" in html(watching)


async def test_pages_of_another_node_follow() -> None:
    here, there = Notes(), Notes()
    viewer = there.open()
    await there.source.tick(0)
    here.add("ape")
    assert here.cluster.published == [(PAGES.name, "notes")]
    there.texts.append("ape")  # both read one database
    for name in ("others", "notes"):
        there.cluster.subscribers[0](name)
    await there.source.tick(1)
    assert html(viewer) == "<b>1</b><i>ape</i>"


async def test_pages_follow_a_change_of_another_node_although_its_news_was_missed() -> None:
    notes = Notes()
    viewer = notes.open()
    await notes.source.tick(0)
    notes.texts.append("ape")
    for news_missed in notes.cluster.gaps:
        news_missed()
    await notes.source.tick(1)
    assert html(viewer) == "<b>1</b><i>ape</i>"


async def test_a_rendering_that_fails_is_tried_again() -> None:
    notes = Notes()
    viewer, failures = notes.open(), [RuntimeError("the database is away")]
    await notes.source.tick(0)
    render = notes.render

    async def failing(query: Query) -> Fragments:
        if failures:
            raise failures.pop()
        return await render(query)

    notes.views = LiveViews([notes.source.view("notes", failing)])
    other = notes.open("a")
    notes.add("ape")
    with pytest.raises(RuntimeError):
        await notes.source.tick(1)
    await notes.source.tick(2)
    assert "<i>ape</i>" in html(viewer)
    assert "<i>ape</i>" in html(other)


@pytest.mark.parametrize("query", [{}, {"view": "others"}, {"view": "notes", "letter": "ab"}])
def test_a_query_that_no_page_has_is_refused(query: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        Notes().views.find(query)
