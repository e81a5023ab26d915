"""Decides when each ASIC is polled: a heap of due times. The time is an argument.

A healthy ASIC is polled at the interval, counted from its last due time, so that a slow answer delays nothing. After
three failures in a row an ASIC counts as dead: the pauses double up to five minutes. After its first answer it is
polled at the interval again.
"""

import heapq
import random
from collections.abc import Callable
from typing import NamedTuple

LONGEST_BACKOFF_S = 300.0
DEAD_AFTER = 3
_JITTER = 0.02  # of the interval: so sentries that were started together do not poll at the same moments
_SPREAD_PER_S = 200  # so many new ones are asked for the first time in a second


class Due(NamedTuple):
    key: int
    at_s: float


def backoff_s(failures: int, every_s: float) -> float:
    """Returns the pause after this number of failures in a row."""
    if failures < DEAD_AFTER:
        return every_s
    doubled: float = every_s * 2 ** min(failures - DEAD_AFTER + 1, 16)
    return max(every_s, min(LONGEST_BACKOFF_S, doubled))


class Schedule:
    """Each key either waits for its due time or is handed out. A key that is handed out is not due again before
    `done`."""

    def __init__(self, every_s: float, dice: Callable[[], float] = random.random) -> None:
        self.every_s = every_s
        self._dice = dice
        self._heap: list[tuple[float, int]] = []
        self._waiting: dict[int, float] = {}  # the valid entries of the heap; others in it are out of date
        self._out: dict[int, float] = {}
        self._first: set[int] = set()

    def __len__(self) -> int:
        return len(self._waiting) + len(self._out)

    def __contains__(self, key: int) -> bool:
        return key in self._waiting or key in self._out

    @property
    def in_flight(self) -> int:
        return len(self._out)

    def add(self, keys: list[int], now_s: float) -> None:
        """Adds new keys. They are due soon, one after the other, and later spread over the interval."""
        window_s = min(self.every_s, len(keys) / _SPREAD_PER_S)
        for key in keys:
            self._first.add(key)
            self._put(key, now_s + self._dice() * window_s)

    def change_interval(self, every_s: float, now_s: float) -> None:
        """Changes the interval. A shorter one applies at once, not after the end of a longer one."""
        self.every_s = every_s
        for key in [key for key, at_s in self._waiting.items() if at_s > now_s + every_s]:
            self._put(key, now_s + self._dice() * every_s)

    def hurry(self, key: int, now_s: float) -> None:
        """Makes the key due now. Nothing changes if it is handed out."""
        if key in self._waiting:
            self._put(key, now_s)

    def remove(self, key: int) -> None:
        self._waiting.pop(key, None)
        self._out.pop(key, None)
        self._first.discard(key)

    def take_due(self, now_s: float, at_most: int) -> list[Due]:
        """Hands out the keys that are due, the longest overdue first."""
        due: list[Due] = []
        while self._heap and self._heap[0][0] <= now_s and len(due) < at_most:
            at_s, key = heapq.heappop(self._heap)
            if self._waiting.get(key) == at_s:
                del self._waiting[key]
                self._out[key] = at_s
                due.append(Due(key, at_s))
        return due

    def next_due_s(self) -> float | None:
        while self._heap and self._waiting.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def done(self, key: int, now_s: float, failures: int) -> None:
        """Takes the key back, with the number of its failures in a row; 0 after an answer."""
        was_due_s = self._out.pop(key, None)
        if was_due_s is None:
            return  # removed meanwhile
        if failures:
            self._put(key, now_s + backoff_s(failures, self.every_s) * (0.9 + 0.2 * self._dice()))
        elif key in self._first:
            self._first.discard(key)
            self._put(key, max(now_s, was_due_s + self.every_s * (0.5 + self._dice())))
        else:
            self._put(key, max(now_s, was_due_s + self.every_s * (1 + _JITTER * (2 * self._dice() - 1))))

    def _put(self, key: int, at_s: float) -> None:
        self._waiting[key] = at_s
        heapq.heappush(self._heap, (at_s, key))
