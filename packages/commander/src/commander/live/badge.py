"""The number of open incidents: all pages show it in the navigation, in the tab's title and in its icon."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from commander.web.shell import macro

News = asyncio.Queue[str | None]


class Badge:
    """The number, sent to open pages by their WebSocket beside their own frames.

    `changes` grows with each change of any incident, also one that leaves the number as it is.
    """

    def __init__(self) -> None:
        self.count = 0
        self.changes = 0
        self._pages: set[News] = set()

    def set(self, count: int) -> None:
        self.changes += 1
        if count == self.count:
            return
        self.count = count
        for page in self._pages:
            if not page.empty():
                page.get_nowait()
            page.put_nowait(self._frame())

    @contextmanager
    def watched(self, seen: str | None) -> Iterator[News]:
        """Yields the news for an open page that shows `seen`; None: it shows no number."""
        page: News = asyncio.Queue(maxsize=1)
        if seen is not None and seen != str(self.count):
            page.put_nowait(self._frame())
        self._pages.add(page)
        try:
            yield page
        finally:
            self._pages.discard(page)

    def _frame(self) -> str:
        """A frame without a stamp: what the page has seen of its own source stays as it is."""
        return "\n" + macro("web/fragments.html", "badge", self.count)
