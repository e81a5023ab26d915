"""The door for logs: `POST /api/v1/sentry/logs`. The one bare ASGI handler, because it is the one hot path.

It answers after the database has committed. A log that can't be stored is rejected by itself.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec
from litestar.exceptions import MethodNotAllowedException
from litestar.types import Receive, Scope, Send
from protocol.messages import CpuGpuLog, LogReceipt, LogReport, RejectedLog

from commander.db import to_us
from commander.live.rigs import LiveRigs
from commander.rigs.domain import figures_of
from commander.rigs.kinds import RigKind
from commander.telemetry.group_commit import GroupCommit
from commander.telemetry.sentry_runs import SentryRuns
from commander.telemetry.store import NewLog
from commander.telemetry.tokens import RigRemoved, Tokens
from commander.web.bodies import header, method_of, read_body, send_json
from commander.web.errors import send_problem

PATH = "/api/v1/sentry/logs"
AHEAD_ALLOWED = timedelta(minutes=5)
AGE_ALLOWED = timedelta(days=30)
LOGS_BETWEEN_BREATHS = 100  # about 2 ms of decoding; then others may have the event loop

_report_decoder = msgspec.json.Decoder(LogReport)
_log_decoder = msgspec.json.Decoder(CpuGpuLog)
_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Sorted:
    """One report, taken apart: what can be stored, and what can't and why."""

    good: list[NewLog] = field(default_factory=list)
    rejected: list[RejectedLog] = field(default_factory=list)


class Intake:
    """ASGI application for `PATH`."""

    def __init__(
        self,
        tokens: Tokens,
        commit: GroupCommit,
        live: LiveRigs,
        *,
        runs: SentryRuns,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._tokens = tokens
        self._commit = commit
        self._live = live
        self._runs = runs
        self._now = now

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if method_of(scope) != "POST":
                raise MethodNotAllowedException("Logs are sent with POST.", headers={"Allow": "POST"})
            receipt = await self._receipt(scope, receive)
        except Exception as error:  # noqa: BLE001 - one table turns every error into its answer
            await send_problem(error, scope, send)
        else:
            await send_json(send, 200, _encode(receipt))

    async def _receipt(self, scope: Scope, receive: Receive) -> LogReceipt:
        body = await read_body(scope, receive)
        rig_id = await self._tokens.rig_of(header(scope, b"authorization"))
        report = _report_decoder.decode(body)
        two = self._runs.two_sentries(rig_id, header(scope, b"sentry-run"), time.monotonic())
        self._live.index.set_two_sentries(rig_id, two)
        logs = await sort_out(report, rig_id, now=self._now())
        written = await self._commit.write(logs.good) if logs.good else []
        if None in written:
            raise RigRemoved("This rig was removed from the commander.")
        stored = written.count(True)
        return LogReceipt(stored=stored, duplicates=len(written) - stored, rejected=logs.rejected, two_sentries=two)


async def sort_out(report: LogReport, rig_id: int, *, now: datetime) -> Sorted:
    logs = Sorted()
    for index, raw in enumerate(report.logs):
        try:
            log = _log_decoder.decode(raw)
            check_time(log.taken_at, now=now)
        except (msgspec.DecodeError, ValueError, OverflowError) as error:
            logs.rejected.append(RejectedLog(index=index, reason=str(error)))
        else:
            logs.good.append(NewLog(RigKind.CPU_GPU, rig_id, to_us(log.taken_at), bytes(raw), figures_of(log)))
        if index % LOGS_BETWEEN_BREATHS == LOGS_BETWEEN_BREATHS - 1:
            await asyncio.sleep(0)
    return logs


def check_time(taken_at: datetime, *, now: datetime) -> None:
    """A log's time must be believable; `ValueError` says why it is not."""
    if taken_at > now + AHEAD_ALLOWED:
        raise ValueError(f"taken_at is in the future ({taken_at:%Y-%m-%d %H:%M} UTC): is the rig's clock right?")
    if taken_at < now - AGE_ALLOWED:
        raise ValueError(f"taken_at is older than 30 days ({taken_at:%Y-%m-%d %H:%M})")
