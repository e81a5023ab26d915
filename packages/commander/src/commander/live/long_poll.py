"""The long_poll: a sentry that has the newest playbooks waits here, and is let go when there is news.

A waiting sentry costs one future and one timer; nothing runs for it until the bell rings.
"""

import asyncio
from contextlib import suppress

WAITING_PER_RIG = 4


class LongPoll:
    """One per commander. After `close` nobody waits any more: the commander is ending."""

    def __init__(self) -> None:
        self._waiting: dict[int, list[asyncio.Future[None]]] = {}
        self._closed = False

    async def wait(self, rig_id: int, timeout_s: float) -> None:
        """Until the rig's bell rings, the commander ends, or `timeout_s` have passed."""
        if self._closed:
            return
        here = self._waiting.setdefault(rig_id, [])
        if len(here) >= WAITING_PER_RIG:  # somebody who went away without a word, most likely
            _let_go(here.pop(0))
        waiting = asyncio.get_running_loop().create_future()
        here.append(waiting)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await waiting
        finally:
            self._leave(rig_id, waiting)

    def wake(self, rig_id: int) -> None:
        """There is news for this rig's sentry."""
        for waiting in self._waiting.pop(rig_id, ()):
            _let_go(waiting)

    def close(self) -> None:
        self._closed = True
        for rig_id in list(self._waiting):
            self.wake(rig_id)

    @property
    def waiting(self) -> int:
        return sum(map(len, self._waiting.values()))

    def _leave(self, rig_id: int, waiting: "asyncio.Future[None]") -> None:
        here = self._waiting.get(rig_id, [])
        if waiting in here:
            here.remove(waiting)
        if not here:
            self._waiting.pop(rig_id, None)


def _let_go(waiting: "asyncio.Future[None]") -> None:
    if not waiting.done():
        waiting.set_result(None)
