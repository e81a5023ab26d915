"""Bounds the WebSockets that one access, API key or view link has open."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from commander.limit_log import LimitLog
from commander.problems import CommanderError, ErrorKind

OF_ACCESS = 256  # all people of a farm may share one
OF_KEY = OF_LINK = 64


class TooManySockets(CommanderError):
    """An access, API key or view link has as many WebSockets open as it may."""

    kind = ErrorKind(429, "too_many_sockets", "Too many sockets", retry_after_s=60)


class OpenSockets:
    """Counts the WebSockets of this process by their owner, see `socket_user` and `link_owner`."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()
        self._limit_log = LimitLog()

    @contextmanager
    def counted(self, owner: str, *, most: int) -> Iterator[None]:
        """Counts one more as long as this lasts. Raises `TooManySockets`."""
        if self._open[owner] >= most:
            self._limit_log.note("of one owner", f"new WebSockets are refused: {owner} has {most} open")
            raise TooManySockets(f"{most} WebSockets are open already; close some of them.")
        self._open[owner] += 1
        try:
            yield
        finally:
            self._open[owner] -= 1
            if not self._open[owner]:
                del self._open[owner]
