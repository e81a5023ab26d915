"""Writes into the log that a limit has refused something: one line a minute for each limit, however often it does."""

import logging
import math
import time
from collections import Counter
from collections.abc import Callable

EVERY_S = 60.0
log = logging.getLogger(__name__)


class LimitLog:
    """The limits of one part of the commander.

    `limit` names one of them, and no sender: so a flood from many addresses is one line a minute, too.
    """

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._written_s: dict[str, float] = {}
        self._left_out = Counter[str]()

    def note(self, limit: str, text: str) -> None:
        """Writes the text, and how often the limit has refused something since the line before."""
        now_s = self._now_s()
        if now_s - self._written_s.get(limit, -math.inf) < EVERY_S:
            self._left_out[limit] += 1
            return
        self._written_s[limit] = now_s
        count = self._left_out.pop(limit, 0)
        log.warning("%s%s", text, f" ({count:,} more since the last line about this)" if count else "")
