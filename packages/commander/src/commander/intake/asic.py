"""`POST /api/v1/sentry/asic-logs`: logs of many ASICs in one request, each with its own token.

It answers after the commit. A wrong item has its error in its own result and does not affect the others. Specs or items
that can't be read are rejected with the index -1. If every item is over its budget, the answer is that of one rig: 429.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec
from litestar.types import Receive, Scope, Send
from protocol.asic_messages import AsicItemReceipt, AsicReceipt, AsicReportItem, AsicSpecs
from protocol.messages import RejectedLog, RigName
from protocol.plain_words import why
from protocol.reading import Reader

from commander.accounts.known_senders import sender_is_known
from commander.intake.asic_reports import items_of
from commander.intake.counts import LogCounts
from commander.intake.cpu_gpu import Sorted, answer, counted, sort_out
from commander.intake.sentry_runs import SentryRuns
from commander.intake.sink import LogSink
from commander.intake.writers import Written
from commander.live.rigs import LiveRigs
from commander.registry.budgets import OVER_BUDGET, Cost, OverBudget, RigBudgets
from commander.registry.tokens import InvalidToken, TokenError, Tokens
from commander.rigs.actions import RigActions
from commander.web.bodies import header, read_body, read_json
from commander.web.body_budget import BodyBudget, Share
from commander.web.body_gate import address_of

PATH = "/api/v1/sentry/asic-logs"
ITEMS_BETWEEN_BREATHS = 50  # about 2 ms of decoding; then others may have the event loop
SPECS_INDEX = -1
LONGEST_WAIT_S = 60  # the sentry's other ASICs wait as well

_specs_reader = Reader(AsicSpecs, any_value=False)


@dataclass(slots=True)
class Item:
    """One ASIC's part of a report: whose it is, or why it is refused; `specs` only if they have changed.

    `retry_after_s` is set if it is over its budget.
    """

    rig_id: int = 0
    error: str | None = None
    retry_after_s: int | None = None
    specs: bytes | None = None
    logs: Sorted = field(default_factory=Sorted)

    def receipt(self, written: Written, rig: RigName | None) -> AsicItemReceipt:
        """`written` is the fate of its good logs; None among it: the ASIC was removed just now."""
        if self.error or None in written:
            return AsicItemReceipt(stored=0, duplicates=0, error=self.error or "rig_removed")
        stored = written.count(True)
        return AsicItemReceipt(stored=stored, duplicates=len(written) - stored, rejected=self.logs.rejected, rig=rig)


class AsicIntake:
    """ASGI application for `PATH`."""

    def __init__(
        self,
        tokens: Tokens,
        sink: LogSink,
        live: LiveRigs,
        rig_actions: RigActions,
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
        self._rig_actions = rig_actions
        self._runs = runs
        self._now = now
        self._counts = counts
        self._bodies = bodies
        self._budgets = budgets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await answer(self._receipt, scope, receive, send)

    async def _receipt(self, scope: Scope, receive: Receive) -> AsicReceipt:
        with self._bodies.share(address_of(scope)) as share:
            await self._recognise(scope, share)
            body = await read_body(scope, receive, share)
            report, unreadable = read_json(items_of, body)
            holders = await self._tokens.asics_of([item.token for item in report])
            if any(isinstance(holder, int) for holder in holders):
                share.sender_is_known()
                sender_is_known(scope)
            with ExitStack() as charges:
                items = await self._sort_out(report, holders, charges, run=header(scope, b"sentry-run"))
                for index, why in unreadable.items():
                    items[index].logs.rejected.append(RejectedLog(index=SPECS_INDEX, reason=why))
                return await self._take(items)

    async def _recognise(self, scope: Scope, share: Share) -> None:
        """Counts the body as the farm's if the header has a valid token, which is optional here."""
        if header(scope, b"authorization"):
            with suppress(TokenError):
                await self._tokens.check(scope)
                share.sender_is_known()

    async def _take(self, items: Sequence[Item]) -> AsicReceipt:
        self._counts.figures_left_out += sum(item.logs.figures_left_out for item in items)
        if changed := {item.rig_id: item.specs for item in items if item.specs is not None}:
            await self._rig_actions.set_specs(changed)
        good = [log for item in items for log in item.logs.good]
        rejected = sum(len(item.logs.rejected) for item in items)
        written = await counted(self._sink, self._counts, good, rejected=rejected)
        return AsicReceipt(results=_receipts(items, written, self._live))

    async def _sort_out(
        self,
        report: Sequence[AsicReportItem],
        holders: Sequence[int | TokenError],
        charges: ExitStack,
        *,
        run: str | None,
    ) -> list[Item]:
        """Returns the items; `charges` gives back what they cost after an error.

        Raises `OverBudget` if all of them are over their budgets.
        """
        now, items = self._now(), list[Item]()
        for at, (item, holder) in enumerate(zip(report, holders, strict=True)):
            items.append(self._charged_item(item, holder, charges))
            if items[-1].error is None:
                await self._read_logs(items[-1], item, run=run, now=now)
            if at % ITEMS_BETWEEN_BREATHS == ITEMS_BETWEEN_BREATHS - 1:
                await asyncio.sleep(0)
        waits_s = [item.retry_after_s for item in items if item.retry_after_s is not None]
        if waits_s and len(waits_s) == len(items):
            raise OverBudget(min(LONGEST_WAIT_S, *waits_s))
        return items

    def _charged_item(self, item: AsicReportItem, holder: int | TokenError, charges: ExitStack) -> Item:
        """An item without logs and specs costs nothing: it only asks whether the token is valid."""
        if isinstance(holder, TokenError):
            return Item(error="invalid_token" if isinstance(holder, InvalidToken) else "rig_removed")
        if not item.logs and bytes(item.specs) == b"null":
            return Item(holder)
        cost = Cost(len(item.logs), len(item.specs) + sum(map(len, item.logs)))
        try:
            charges.enter_context(self._budgets.charged(holder, cost))
        except OverBudget as error:  # its logs stay with the sentry, which sends them again
            return Item(holder, error=OVER_BUDGET, retry_after_s=error.retry_after_s)
        return Item(holder)

    async def _read_logs(self, item: Item, sent: AsicReportItem, *, run: str | None, now: datetime) -> None:
        two = self._runs.two_sentries(item.rig_id, run, time.monotonic())
        self._live.index.set_two_sentries(item.rig_id, two, at=now)
        item.logs = await sort_out(self._live.kind, item.rig_id, sent.logs, now=now)
        if sent.logs:
            self._live.index.set_wrong_clock(item.rig_id, item.logs.wrong_clock, at=now)
        item.specs = self._changed_specs(item.rig_id, sent.specs, item.logs)

    def _changed_specs(self, rig_id: int, raw: msgspec.Raw, logs: Sorted) -> bytes | None:
        if bytes(raw) == b"null":
            return None
        try:
            specs = _specs_reader.decode(raw)
        except (msgspec.DecodeError, RecursionError) as error:
            logs.rejected.append(RejectedLog(index=SPECS_INDEX, reason=f"specs: {why(error)}"))
            return None
        text, state = msgspec.json.encode(specs), self._live.index.rigs.get(rig_id)
        return None if state and state.specs == text else text


def _receipts(items: Sequence[Item], written: Written, live: LiveRigs) -> list[AsicItemReceipt]:
    """The results in the order of the items, from what became of all their logs in one row."""
    results, start = list[AsicItemReceipt](), 0
    for item in items:
        end = start + len(item.logs.good)
        results.append(item.receipt(written[start:end], live.name_of(item.rig_id)))
        start = end
    return results
