"""Bounds the WebSockets that one session, API key or view link has open."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from commander.problems import CommanderError, ErrorKind

SOCKETS_MOST = 64


class TooManySockets(CommanderError):
    """A session, API key or view link has `SOCKETS_MOST` WebSockets open."""

    kind = ErrorKind(429, "too_many_sockets", "Too many sockets", retry_after_s=60)


class OpenSockets:
    """Counts the WebSockets of this process by their owner, see `socket_owner` and `link_owner`."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()

    @contextmanager
    def counted(self, owner: str) -> Iterator[None]:
        """Counts one more as long as this lasts. Raises `TooManySockets`."""
        if self._open[owner] >= SOCKETS_MOST:
            raise TooManySockets(f"{SOCKETS_MOST} WebSockets are open already; close some of them.")
        self._open[owner] += 1
        try:
            yield
        finally:
            self._open[owner] -= 1
            if not self._open[owner]:
                del self._open[owner]
