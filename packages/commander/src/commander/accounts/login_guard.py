"""Slows down senders that guess the password: each address, each known browser, and all strangers together.

It counts in memory and by the monotonic clock, so that neither a full disk nor a wrong clock changes a delay. Each try
counts as a failure from its beginning: tries that run at the same time can't exceed the limit.
"""

import asyncio
import math
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from commander.accounts.domain import TooManyTries
from commander.accounts.networks import sender_network
from commander.limit_log import LimitLog

QUEUE = 8
QUEUE_FULL_WAIT_S = 2.0
SENDERS_MAX = 20_000


@dataclass(frozen=True, slots=True)
class Pace:
    """Allows `free` failures, then a delay that doubles with each further one.

    After the delay one failure is forgotten in `forgets_one_in_s`.
    """

    free: int
    first_delay_s: float
    longest_delay_s: float
    forgets_one_in_s: float


OF_ONE_SENDER = Pace(free=10, first_delay_s=60, longest_delay_s=900, forgets_one_in_s=360)
OF_ALL_STRANGERS = Pace(free=60, first_delay_s=1, longest_delay_s=30, forgets_one_in_s=5)


@dataclass(slots=True)
class Failures:
    """The failures of one sender, or of all strangers. Times are seconds of the monotonic clock."""

    pace: Pace
    count: float = 0.0
    last_s: float = 0.0

    def wait_s(self, now_s: float) -> float:
        """Returns how long the sender has to wait before the next try."""
        return max(0.0, self._free_at_s() - now_s)

    def add(self, now_s: float) -> None:
        forgotten = max(0.0, now_s - self._free_at_s()) / self.pace.forgets_one_in_s
        self.count = max(0.0, self.count - forgotten) + 1
        self.last_s = now_s

    def take_back(self) -> None:
        self.count = max(0.0, self.count - 1)

    def _free_at_s(self) -> float:
        over = math.ceil(self.count) - self.pace.free
        if over < 0:
            return self.last_s
        return self.last_s + min(self.pace.longest_delay_s, self.pace.first_delay_s * 2.0 ** min(over, 20))


class Senders:
    """The failures of each sender; of very many senders only those that failed last are kept."""

    def __init__(self) -> None:
        self._failures = OrderedDict[str, Failures]()

    def of(self, sender: str) -> Failures:
        """Returns the sender's failures, without keeping them."""
        return self._failures.get(sender) or Failures(OF_ONE_SENDER)

    def add(self, sender: str, now_s: float) -> Failures:
        failures = self.of(sender)
        failures.add(now_s)
        self._failures[sender] = failures
        self._failures.move_to_end(sender)
        if len(self._failures) > SENDERS_MAX:
            self._failures.popitem(last=False)
        return failures


class Lane:
    """A queue before the hashing of passwords: one is hashed, and `QUEUE` wait."""

    def __init__(self) -> None:
        self._hashing = asyncio.Semaphore(1)  # each takes 64 MiB and a core
        self._inside = 0

    @property
    def is_full(self) -> bool:
        return self._inside > QUEUE

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        self._inside += 1
        try:
            async with self._hashing:
                yield
        finally:
            self._inside -= 1


class Try:
    """One try to log in. It stays counted as a failure unless `take_back` is called."""

    def __init__(self, counted: tuple[Failures, ...]) -> None:
        self._counted = counted

    def take_back(self) -> None:
        """Does not count the try: the password was right, or it could not be checked."""
        for failures in self._counted:
            failures.take_back()
        self._counted = ()


class LoginGuard:
    """Strangers share one lane and one limit. Known browsers have a lane and limits of their own.

    The failures of a known browser count on its network too, for the strangers there.
    """

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._addresses, self._devices = Senders(), Senders()
        self._strangers = Failures(OF_ALL_STRANGERS)
        self._lane_of_strangers, self._lane_of_known = Lane(), Lane()
        self._limit_log = LimitLog(now_s)

    def remember(self, address: str, count: int) -> None:
        """Counts failures from before the start of this process."""
        for _ in range(count):
            self._addresses.add(sender_network(address), self._now_s())

    def check(self, address: str, device: str | None) -> None:
        """Raises `TooManyTries` if the sender must wait. `device` is the id of a known browser, or None."""
        now_s, network = self._now_s(), sender_network(address)
        if device is not None:
            if (wait_s := self._devices.of(device).wait_s(now_s)) > 0:
                self._note("of one browser", f"a browser at {address} that has logged in before")
                raise TooManyTries(f"Too many wrong passwords from this browser; {wait_text(wait_s)}", wait_s)
        elif (wait_s := self._addresses.of(network).wait_s(now_s)) > 0:
            self._note("of one address", network)
            raise TooManyTries(f"Too many wrong passwords from your address; {wait_text(wait_s)}", wait_s)
        elif (wait_s := self._strangers.wait_s(now_s)) > 0:
            self._note("of all strangers", "many addresses")
            raise TooManyTries(f"{BUSY} {wait_text(wait_s).capitalize()} {KNOWN_BROWSERS}", wait_s)
        if self._lane(device).is_full:
            wait_s = QUEUE_FULL_WAIT_S
            self._limit_log.note("queue", f"log-ins have to wait: {QUEUE + 1} are being checked already")
            raise TooManyTries(f"{BUSY} {wait_text(wait_s).capitalize()} {KNOWN_BROWSERS}", wait_s)

    def _note(self, limit: str, sender: str) -> None:
        self._limit_log.note(limit, f"log-ins have to wait: too many wrong passwords came from {sender}")

    @asynccontextmanager
    async def turn(self, address: str, device: str | None) -> AsyncIterator[Try]:
        """The time in which one password may be hashed. Raises `TooManyTries` at once, without a place in the queue."""
        self.check(address, device)
        now_s = self._now_s()
        counted = [self._addresses.add(sender_network(address), now_s)]
        if device is not None:
            counted.append(self._devices.add(device, now_s))
        else:
            self._strangers.add(now_s)
            counted.append(self._strangers)
        async with self._lane(device).turn():
            yield Try(tuple(counted))

    def _lane(self, device: str | None) -> Lane:
        return self._lane_of_strangers if device is None else self._lane_of_known


BUSY = "Many wrong passwords arrive from many addresses."
KNOWN_BROWSERS = "A browser that has logged in before need not wait."


def wait_text(wait_s: float) -> str:
    """Returns how long to wait before the next try: "wait 30 s and try again."."""
    if wait_s <= 45:
        return f"wait {max(1, round(wait_s))} s and try again."
    minutes = round(wait_s / 60)
    return "wait a minute and try again." if minutes <= 1 else f"wait {minutes} minutes and try again."
