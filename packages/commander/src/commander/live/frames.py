"""HTML frames for open pages, made from the state, not from a queue.

A page was rendered at change number N of the operational index. Its socket asks for "everything since N", and gets one
frame with all parts that differ by now; from then on the same question is asked for it at every tick. So a viewer who
was asleep, or is too slow, or comes back after a lost network gets one frame with the newest state, and nothing is ever
queued. Viewers who look at the same view and have seen the same number get the same bytes, rendered once.

A frame is "<boot>-<number>\\n<html>". Top-level elements of the html are applied in order by `frontend/src/live.ts`:
    <div id="rig-7">…                                      morph the element with that id
    <div id="rig-9" data-in="rows" data-before="rig-12">…  insert it, or move it, before that one (or last)
    <div id="rig-7" data-gone>                             remove it
    <span id="rename-7" data-rename="7">rig-07             write this name wherever the page shows the name of rig 7
    <a id="leave" data-go="/cpu-gpu">                      go to that page
An empty html means "start again": the client loads its page again.
"""

import asyncio
import secrets
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from typing import Protocol

RESYNC = ""
NEVER = -1  # what a page without a stamp has seen


class View(Protocol):
    """A page with its filters and order. All viewers of the same page share one object."""

    def catch_up(self, since: int) -> str | None:
        """Returns the HTML of all changes after `since`; None if none is visible here; `RESYNC` to start again."""

    def step(self, since: int, now_s: float) -> str | None:
        """Returns the same for viewers who got all steps so far. Called once per tick, with the last tick's number."""


@dataclass(eq=False, slots=True)
class Viewer:
    """One open page. `outbox` holds at most the one frame that is on its way; `None` in it closes the socket."""

    session: str
    seen: int
    outbox: "asyncio.Queue[str | None]" = field(default_factory=lambda: asyncio.Queue(maxsize=1))


@dataclass(eq=False, slots=True)
class Feed:
    """The viewers of one view, and the number of the last step that was made for them."""

    view: View
    at: int
    viewers: set[Viewer] = field(default_factory=set)

    def advance(self, number: int, now_s: float, frame: Callable[[int, str], str]) -> int:
        """Brings all viewers that have room for a frame to `number`; returns how many got one."""
        made = 0
        html = self.view.step(self.at, now_s)
        shared = None if html is None else frame(number, html)
        for viewer in self.viewers:
            if viewer.outbox.full():
                continue
            if viewer.seen == self.at:
                text = shared
            else:
                missed = self.view.catch_up(viewer.seen)
                text = None if missed is None else frame(number, missed)
            viewer.seen = number
            if text is not None:
                viewer.outbox.put_nowait(text)
                made += 1
        self.at = number
        return made


class Frames:
    """The feeds of one source of changes; `number` returns that of its newest change. `boot` names this process."""

    def __init__(self, number: Callable[[], int]) -> None:
        self.boot = secrets.token_hex(4)
        self.made = 0
        self._number = number
        self._feeds: dict[Hashable, Feed] = {}

    def stamp(self) -> str:
        """Returns the version that a page rendered now has seen."""
        return f"{self.boot}-{self._number()}"

    def join(self, key: Hashable, make_view: Callable[[], View], *, session: str, stamp: str | None) -> Viewer:
        """Returns a viewer of the view `key` who has seen `stamp`; its first frame is ready at once.

        A page without a stamp can't be loaded again without loss, such as a form with its errors. It never gets the
        frame that asks for that.
        """
        feed = self._feeds.get(key)
        if feed is None:
            feed = self._feeds[key] = Feed(make_view(), self._number())
        boot, _, seen = (stamp or "").rpartition("-")
        is_of_this_boot = boot == self.boot and seen.isdecimal() and len(seen) < 19
        viewer = Viewer(session, feed.at)
        must_start_again = stamp is not None and not is_of_this_boot
        missed = RESYNC if must_start_again else feed.view.catch_up(int(seen) if is_of_this_boot else NEVER)
        if missed is not None:
            viewer.outbox.put_nowait(self._frame(feed.at, missed))
            self.made += 1
        feed.viewers.add(viewer)
        return viewer

    def leave(self, key: Hashable, viewer: Viewer) -> None:
        if feed := self._feeds.get(key):
            feed.viewers.discard(viewer)
            if not feed.viewers:
                del self._feeds[key]

    def tick(self, now_s: float) -> None:
        """Makes one step for each view that is open."""
        number = self._number()
        for feed in self._feeds.values():
            self.made += feed.advance(number, now_s, self._frame)

    def views(self) -> list[View]:
        """Returns the views that are open."""
        return [feed.view for feed in self._feeds.values()]

    def sessions(self) -> set[str]:
        return {viewer.session for feed in self._feeds.values() for viewer in feed.viewers}

    def close_session(self, session: str) -> None:
        """Closes all pages of a session that has ended."""
        for feed in self._feeds.values():
            for viewer in feed.viewers:
                if viewer.session == session:
                    _hang_up(viewer)

    @property
    def viewers(self) -> int:
        return sum(len(feed.viewers) for feed in self._feeds.values())

    def _frame(self, number: int, html: str) -> str:
        return f"{self.boot}-{number}\n{html}"


def _hang_up(viewer: Viewer) -> None:
    while not viewer.outbox.empty():
        viewer.outbox.get_nowait()
    viewer.outbox.put_nowait(None)
