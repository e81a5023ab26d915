"""Counts the bytes of all bodies in memory, so that senders can't fill it.

Senders without a known token have a smaller budget, and each of their addresses a part of that. So a flood from
strangers leaves room for the farm, and a flood from one address leaves room for the sentries that send no
`Authorization`.
"""

from collections import Counter
from typing import NoReturn, Self

from commander.limit_log import LimitLog
from commander.problems import CommanderError, ErrorKind

MIB = 1024 * 1024


class TooManyBodies(CommanderError):
    """The bodies in memory have reached their limit."""

    kind = ErrorKind(503, "overloaded", "Overloaded", retry_after_s=2)

    def __init__(self) -> None:
        super().__init__("The commander has no memory for more requests now. Nothing is lost: send it again later.")


class BodyBudget:
    """The bytes of all bodies, of those of strangers, and of each stranger's address."""

    def __init__(self, *, total: int = 96 * MIB, of_strangers: int = 32 * MIB, of_one_address: int = 10 * MIB) -> None:
        self._total, self._of_strangers, self._of_one_address = total, of_strangers, of_one_address
        self._used = self._used_by_strangers = 0
        self._used_by_address = Counter[str]()
        self._limit_log = LimitLog()

    def share(self, stranger_at: str | None) -> "Share":
        """Returns the share of one request. `stranger_at` is the address of a sender that is not known yet."""
        return Share(self, stranger_at)

    def take(self, count: int, stranger_at: str | None) -> None:
        """Counts bytes. Raises `TooManyBodies`."""
        if self._used + count > self._total:
            self._refuse("all", f"all bodies together may have {_mib(self._total)}")
        if stranger_at is not None:
            self._take_as_stranger(count, stranger_at)
        self._used += count

    def give_back(self, count: int, stranger_at: str | None) -> None:
        self._used -= count
        if stranger_at is not None:
            self._used_by_strangers -= count
            self._used_by_address[stranger_at] -= count
            if not self._used_by_address[stranger_at]:
                del self._used_by_address[stranger_at]

    def _take_as_stranger(self, count: int, address: str) -> None:
        if self._used_by_strangers + count > self._of_strangers:
            self._refuse("of all strangers", f"those of all strangers together may have {_mib(self._of_strangers)}")
        if self._used_by_address[address] + count > self._of_one_address:
            self._refuse(
                "of one stranger", f"those of a stranger, here {address}, may have {_mib(self._of_one_address)}"
            )
        self._used_by_strangers += count
        self._used_by_address[address] += count

    def _refuse(self, limit: str, reason: str) -> NoReturn:
        self._limit_log.note(limit, f"bodies of requests are refused: {reason} in memory")
        raise TooManyBodies


def _mib(count: int) -> str:
    return f"{count / MIB:,.0f} MiB"


class Share:
    """The bytes that one request has taken of a `BodyBudget`; it returns them at the end of its `with`."""

    __slots__ = ("_budget", "_stranger_at", "_taken")

    def __init__(self, budget: BodyBudget, stranger_at: str | None) -> None:
        self._budget = budget
        self._stranger_at = stranger_at
        self._taken = 0

    def take(self, count: int) -> None:
        """Counts bytes. Raises `TooManyBodies`."""
        self._budget.take(count, self._stranger_at)
        self._taken += count

    def give_back(self, count: int) -> None:
        self._budget.give_back(count, self._stranger_at)
        self._taken -= count

    def sender_is_known(self) -> None:
        """Counts the request among those of the farm. Raises `TooManyBodies` if these have no room either."""
        taken = self._taken
        self.give_back(taken)
        self._stranger_at = None
        self.take(taken)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.give_back(self._taken)
