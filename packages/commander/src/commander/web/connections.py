"""Counts the open connections, so that strangers can't take all of them.

A connection is a stranger's until a valid token, key or session comes on it. From then on its address is a known one
for a day: its further connections do not count among those of strangers, so that a flood leaves room for the farm.
"""

import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from typing import NamedTuple

from commander.accounts.networks import sender_network
from commander.limit_log import LimitLog

KNOWN_FOR_S = 24 * 3600.0
KNOWN_MAX = 50_000
Peer = tuple[str, int]


class Limits(NamedTuple):
    """The most connections: all of them, those of all strangers, and those of one stranger's network."""

    total: int
    of_strangers: int
    of_one_stranger: int


def limits_for(descriptors: int) -> Limits:
    """Returns limits for a process that may open so many further files. Half of them are kept for the farm."""
    total = max(8, descriptors)
    of_strangers = total // 2
    return Limits(total, of_strangers, max(4, min(256, of_strangers // 2)))


class ReachedLimit(NamedTuple):
    """The limit that refuses a connection, and why."""

    limit: str
    reason: str


class Connections:
    """`proxies`: addresses that stand for many senders, and so are never one stranger."""

    def __init__(
        self, limits: Limits, *, proxies: Sequence[str] = (), now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self.limits = limits
        self._now_s = now_s
        self._proxies = frozenset(proxies)
        self._open: dict[Peer, bool] = {}  # whether it is a stranger's
        self._strangers_by_network = Counter[str]()
        self._known_s = OrderedDict[str, float]()
        self._limit_log = LimitLog(now_s)

    @property
    def count(self) -> int:
        return len(self._open)

    def admit(self, peer: Peer) -> bool:
        """Counts a new connection; False if it has to be closed at once."""
        is_stranger = not self._is_known(peer[0])
        if reached := self._reached(peer[0], is_stranger=is_stranger):
            self._limit_log.note(reached.limit, f"new connections are refused: {reached.reason}")
            return False
        self._open[peer] = is_stranger
        if is_stranger:
            self._strangers_by_network[sender_network(peer[0])] += 1
        return True

    def gone(self, peer: Peer) -> None:
        if self._open.pop(peer, False):
            self._take_stranger(peer[0])

    def is_known(self, peer: Peer) -> None:
        """A valid token, key or session came on this connection."""
        if self._open.get(peer):
            self._open[peer] = False
            self._take_stranger(peer[0])
        self.know(peer[0])

    def know(self, host: str) -> None:
        """Connections from this address do not count among those of strangers, for a day."""
        self._known_s[host] = self._now_s()
        self._known_s.move_to_end(host)
        if len(self._known_s) > KNOWN_MAX:
            self._known_s.popitem(last=False)

    def _is_known(self, host: str) -> bool:
        since_s = self._known_s.get(host)
        return host in self._proxies or (since_s is not None and self._now_s() - since_s < KNOWN_FOR_S)

    def _take_stranger(self, host: str) -> None:
        network = sender_network(host)
        self._strangers_by_network[network] -= 1
        if not self._strangers_by_network[network]:
            del self._strangers_by_network[network]

    def _reached(self, host: str, *, is_stranger: bool) -> ReachedLimit | None:
        """Returns why a further connection is refused; None if it is not."""
        limits, network = self.limits, sender_network(host)
        if len(self._open) >= limits.total:
            reason = f"all {limits.total} connections that this process may have are in use; raise LimitNOFILE"
            return ReachedLimit("all", reason)
        if is_stranger and self._strangers_by_network[network] >= limits.of_one_stranger:
            reason = f"{network} has {limits.of_one_stranger} connections, and no valid token or log-in came on them"
            return ReachedLimit("of one stranger", reason)
        if is_stranger and self._strangers_by_network.total() >= limits.of_strangers:
            reason = f"{limits.of_strangers} connections are open on which no valid token or log-in came"
            return ReachedLimit("of all strangers", reason)
        return None
