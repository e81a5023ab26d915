"""Long polls: a sentry that has the newest playbooks waits here with its request, and is woken when there is news.

A waiting sentry costs one future and one timer; nothing runs for it until then.
"""

import asyncio
import re
from collections.abc import Hashable, Iterator
from contextlib import contextmanager, suppress

WAITING_PER_RIG = 4
LONGEST_WAIT_S = 50
_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?([0-9]{1,6})\"?\s*(?=$|[,;])", re.IGNORECASE)


class Waiter:
    """One request that may wait. Made before it looks for news, so that it misses none."""

    def __init__(self) -> None:
        self._woken: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    async def wait(self, timeout_s: float) -> bool:
        """Returns whether there is news. Returns False after `timeout_s`, or when the wait is ended without news."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                return await self._woken
        return False

    def end(self, *, has_news: bool) -> None:
        if not self._woken.done():
            self._woken.set_result(has_news)


class LongPoll:
    """One per commander. A key names what is waited for. After `close` no request waits: the commander is ending."""

    def __init__(self) -> None:
        self._waiting: dict[Hashable, list[Waiter]] = {}
        self._closed = False

    async def wait(self, key: Hashable, timeout_s: float) -> bool:
        """Waits for news of this key. Returns whether there is news."""
        with self.waiter(key) as waiter:
            return await waiter.wait(timeout_s)

    @contextmanager
    def waiter(self, key: Hashable) -> Iterator[Waiter]:
        """Gives a waiter that is woken by all news from now on."""
        here, waiter = self._waiting.setdefault(key, []), Waiter()
        if len(here) >= WAITING_PER_RIG:  # the oldest belongs to a connection that is gone, most likely
            here.pop(0).end(has_news=False)
        here.append(waiter)
        if self._closed:
            waiter.end(has_news=False)
        try:
            yield waiter
        finally:
            self._leave(key, waiter)

    def wake(self, key: Hashable) -> None:
        """Ends the waiting for this key: there is news."""
        for waiter in self._waiting.pop(key, ()):
            waiter.end(has_news=True)

    def close(self) -> None:
        self._closed = True
        for waiters in self._waiting.values():
            for waiter in waiters:
                waiter.end(has_news=False)
        self._waiting.clear()

    @property
    def waiting(self) -> int:
        return sum(map(len, self._waiting.values()))

    def _leave(self, key: Hashable, waiter: Waiter) -> None:
        here = self._waiting.get(key, [])
        if waiter in here:
            here.remove(waiter)
        if not here:
            self._waiting.pop(key, None)


def wait_of(prefer: str | None) -> int:
    """Returns how many seconds a request may be held: `Prefer: wait=…` (RFC 7240), bounded."""
    match = _WAIT.search(prefer or "")
    return min(int(match[1]), LONGEST_WAIT_S) if match else 0
