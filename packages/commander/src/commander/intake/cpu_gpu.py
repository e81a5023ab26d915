"""`POST /api/v1/sentry/logs`: the logs of CPU/GPU rigs.

A bare ASGI handler, because it is a hot path. It answers after the commit. A log that can't be stored is rejected
alone, and an impossible value is left out of its log.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec
from litestar.exceptions import MethodNotAllowedException
from litestar.types import Receive, Scope, Send
from protocol.messages import LogReceipt, LogReport, Message, RejectedLog
from protocol.reading import Reader

from commander.accounts.known_senders import sender_is_known
from commander.db import to_us
from commander.intake.counts import LogCounts
from commander.intake.sentry_runs import SentryRuns
from commander.intake.sink import LogSink
from commander.intake.writers import Written
from commander.live.rigs import LiveRigs
from commander.raw_logs.store import NewLog
from commander.readings.decode import READERS
from commander.registry.budgets import Cost, RigBudgets
from commander.registry.kinds import RigKind
from commander.registry.tokens import RigRemoved, Tokens, credentials_of
from commander.web.bodies import header, method_of, read_body, read_json, send_json
from commander.web.body_budget import BodyBudget
from commander.web.errors import send_problem
from commander.web.methods import allowed
from commander.web.nesting import is_nested_too_deeply

PATH = "/api/v1/sentry/logs"
AHEAD_ALLOWED = timedelta(minutes=5)
AGE_ALLOWED = timedelta(days=30)
LOGS_BETWEEN_BREATHS = 100  # about 2 ms of decoding; then others may have the event loop

_report_reader = Reader(LogReport)
_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Sorted:
    """A rig's part of a report, taken apart: what can be stored, and what can't and why."""

    good: list[NewLog] = field(default_factory=list)
    rejected: list[RejectedLog] = field(default_factory=list)
    figures_left_out: int = 0
    wrong_clock: bool = False  # by the last log: those before may be what a clock set right has left


class BadTime(ValueError):
    """A log's time can't be right."""


class TooDeep(ValueError):
    """The log is nested so deeply that it could not be read later."""

    def __init__(self) -> None:
        super().__init__("The log is nested too deeply.")


class Intake:
    """ASGI application for `PATH`."""

    def __init__(
        self,
        tokens: Tokens,
        sink: LogSink,
        live: LiveRigs,
        *,
        runs: SentryRuns,
        counts: LogCounts,
        bodies: BodyBudget,
        budgets: RigBudgets,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._tokens = tokens
        self._sink = sink
        self._live = live
        self._runs = runs
        self._now = now
        self._counts = counts
        self._bodies = bodies
        self._budgets = budgets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await answer(self._receipt, scope, receive, send)

    async def _receipt(self, scope: Scope, receive: Receive) -> LogReceipt:
        rig_id = await self._tokens.rig_of(credentials_of(scope))
        sender_is_known(scope)
        self._budgets.check(rig_id)
        with self._bodies.share(None) as share:
            body = await read_body(scope, receive, share)
            report = read_json(_report_reader.decode, body)
            with self._budgets.charged(rig_id, Cost(len(report.logs), len(body))):
                return await self._take(rig_id, report, run=header(scope, b"sentry-run"))

    async def _take(self, rig_id: int, report: LogReport, *, run: str | None) -> LogReceipt:
        two, now = self._runs.two_sentries(rig_id, run, time.monotonic()), self._now()
        self._live.index.set_two_sentries(rig_id, two, at=now)
        logs = await sort_out(self._live.kind, rig_id, report.logs, now=now)
        self._counts.figures_left_out += logs.figures_left_out
        if report.logs:
            self._live.index.set_wrong_clock(rig_id, logs.wrong_clock, at=now)
        written = await counted(self._sink, self._counts, logs.good, rejected=len(logs.rejected))
        if None in written:
            raise RigRemoved("This rig was removed from the commander.")
        stored = written.count(True)
        return LogReceipt(
            stored=stored,
            duplicates=len(written) - stored,
            rejected=logs.rejected,
            two_sentries=two,
            waits_for_approval=not self._live.is_approved(rig_id),
            rig=self._live.name_of(rig_id),
        )


async def answer(
    receipt_of: Callable[[Scope, Receive], Awaitable[Message]], scope: Scope, receive: Receive, send: Send
) -> None:
    """Checks the method and answers each error, around an endpoint's work."""
    try:
        if method_of(scope) != "POST":
            raise MethodNotAllowedException("Logs are sent with POST.", headers={"Allow": allowed(["POST"])})
        receipt = await receipt_of(scope, receive)
    except Exception as error:  # noqa: BLE001 - one table turns every error into its answer
        await send_problem(error, scope, send)
    else:
        await send_json(send, 200, _encode(receipt))


async def counted(sink: LogSink, counts: LogCounts, good: list[NewLog], *, rejected: int) -> Written:
    """Store what is good of a report, and count all of it."""
    counts.received += len(good) + rejected
    counts.rejected += rejected
    try:
        written = await sink.write(good) if good else []
    except Exception:
        counts.refused += len(good)
        raise
    counts.stored += written.count(True)
    counts.duplicates += written.count(False)
    return written


async def sort_out(kind: RigKind, rig_id: int, bodies: Sequence[msgspec.Raw], *, now: datetime) -> Sorted:
    logs, read = Sorted(), READERS[kind]
    for index, raw in enumerate(bodies):
        try:
            log = read(raw)
            check_time(log.taken_at, now=now)
            check_nesting(log.body)
        except (msgspec.DecodeError, ValueError, OverflowError, RecursionError) as error:
            reason = TooDeep() if isinstance(error, RecursionError) else error
            logs.rejected.append(RejectedLog(index=index, reason=str(reason)))
            logs.wrong_clock = isinstance(error, BadTime)
        else:
            logs.wrong_clock = False
            logs.figures_left_out += log.figures_left_out
            logs.good.append(NewLog(kind, rig_id, to_us(log.taken_at), log.body, log.summary))
        if index % LOGS_BETWEEN_BREATHS == LOGS_BETWEEN_BREATHS - 1:
            await asyncio.sleep(0)
    return logs


def check_nesting(body: bytes) -> None:
    """Raises `TooDeep` for a log that could be stored but not read again."""
    if is_nested_too_deeply(body):
        raise TooDeep


def check_time(taken_at: datetime, *, now: datetime) -> None:
    """A log's time must be believable; `BadTime` says why it is not."""
    if taken_at > now + AHEAD_ALLOWED:
        raise BadTime(f"taken_at is in the future ({taken_at:%Y-%m-%d %H:%M} UTC): is the rig's clock right?")
    if taken_at < now - AGE_ALLOWED:
        raise BadTime(f"taken_at is older than 30 days ({taken_at:%Y-%m-%d %H:%M})")
