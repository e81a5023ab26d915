"""Bounds what one rig's token can store. A stolen token must not be able to fill the disk.

A rig may send ten times the logs of its interval, and some megabytes a day, of logs and of all its other reports. The
logs that a sentry has kept during an outage pass: a day's bytes and 100,000 logs may come at once. A refused report is
not lost, its sentry sends it again later. What could not be stored does not count.
"""

import math
import time
from collections.abc import Callable
from typing import NamedTuple

from commander.limit_log import LimitLog
from commander.problems import CommanderError, ErrorKind

TIMES_THE_INTERVAL = 10
LOGS_AT_ONCE = 100_000
MIB = 1024 * 1024
DAY_S = 86_400.0
LEAST_WAIT_S, LONGEST_WAIT_S = 10, 3600
OVER_BUDGET = "over_budget"


class OverBudget(CommanderError):
    """The rig has sent far more than a rig sends."""

    kind = ErrorKind(429, OVER_BUDGET, "Too much from one rig", retry_after_s=60)

    def __init__(self, wait_s: float) -> None:
        super().__init__(
            "Far more came with this rig's token than one rig sends. Nothing is lost: the sentry keeps its logs and "
            "other reports, and sends them later. If you did not send old logs yourself, somebody else may have the "
            "token: give the rig a new one. COMMANDER_RIG_MB_A_DAY sets the limit."
        )
        self.retry_after_s = math.ceil(min(LONGEST_WAIT_S, max(LEAST_WAIT_S, wait_s)))


class Cost(NamedTuple):
    """The logs and bytes of one report of one rig. A report of something else has no logs."""

    logs: int
    size_bytes: int


class Budget:
    """The logs and bytes that one rig has left. Both may fall below zero by one report."""

    __slots__ = ("at_s", "bytes_left", "logs_left")

    def __init__(self, logs_left: float, bytes_left: float, at_s: float) -> None:
        self.logs_left, self.bytes_left, self.at_s = logs_left, bytes_left, at_s


class Charge:
    """The cost of one report. If its `with` ends with an error, the rig gets it back.

    A cancelled request stays charged: its report may be stored all the same.
    """

    __slots__ = ("_budget", "_cost")

    def __init__(self, budget: Budget, cost: Cost) -> None:
        self._budget, self._cost = budget, cost

    def __enter__(self) -> None:
        """The rig was charged when this object was made."""

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and issubclass(kind, Exception):
            self._budget.logs_left += self._cost.logs
            self._budget.bytes_left += self._cost.size_bytes


class RigBudgets:
    """The budgets of all rigs of one kind, in memory. `title` is what one of them is called."""

    def __init__(
        self,
        *,
        report_every_s: float,
        mb_a_day: float,
        title: str = "rig",
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._logs_a_second = TIMES_THE_INTERVAL / report_every_s
        self._bytes_at_once = mb_a_day * MIB
        self._bytes_a_second = self._bytes_at_once / DAY_S
        self._now_s = now_s
        self._title = title
        self._limit_log = LimitLog(now_s)
        self._budgets: dict[int, Budget] = {}

    def check(self, rig_id: int) -> None:
        """Raises `OverBudget` if the rig has nothing left."""
        budget = self._budgets.get(rig_id)
        if budget is None or (budget.logs_left > 0 and budget.bytes_left > 0):
            return
        self._refill(budget)
        wait_s = max(-budget.logs_left / self._logs_a_second, -budget.bytes_left / self._bytes_a_second)
        if wait_s >= 0:
            sender = f"{self._title} {rig_id}"
            text = f"reports are refused: more came with the token of {sender} than one {self._title} makes"
            self._limit_log.note("of one rig", text)
            raise OverBudget(wait_s)

    def charged(self, rig_id: int, cost: Cost) -> Charge:
        """Checks and counts in one step, so that of several reports at once only the first can exceed the budget.

        The report is stored in the `with` of the charge. Raises `OverBudget`; then nothing was counted.
        """
        self.check(rig_id)
        budget = self._budgets.get(rig_id)
        if budget is None:
            budget = self._budgets[rig_id] = Budget(LOGS_AT_ONCE, self._bytes_at_once, self._now_s())
        else:
            self._refill(budget)
        budget.logs_left -= cost.logs
        budget.bytes_left -= cost.size_bytes
        return Charge(budget, cost)

    def _refill(self, budget: Budget) -> None:
        now_s = self._now_s()
        passed_s, budget.at_s = now_s - budget.at_s, now_s
        budget.logs_left = min(LOGS_AT_ONCE, budget.logs_left + passed_s * self._logs_a_second)
        budget.bytes_left = min(self._bytes_at_once, budget.bytes_left + passed_s * self._bytes_a_second)
