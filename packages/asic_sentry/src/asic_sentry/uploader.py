"""Uploads the logs of many ASICs: one request carries all of them, each with its own token. An error of one ASIC
does not affect the others."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec
from protocol.asic_messages import AsicItemReceipt, AsicReceipt, AsicReport, AsicReportItem, AsicSpecs
from protocol.messages import RigName, SentryWelcome
from protocol.reading import Reader
from protocol.tokens import Token
from sentry_kit import store as kit
from sentry_kit.client import CommanderClient, CommanderError, InvalidToken, OverBudget, Refused, RigRemoved, TooLarge
from sentry_kit.impossible import left_out
from sentry_kit.masking import mask
from sentry_kit.spool import Spool, Spooled
from sentry_kit.store import Enrolment, State
from sentry_kit.uploader import PAUSE_S, PROBE_INVALID_S, Uploader
from sentry_kit.worker import Worker

from asic_sentry.asics import store
from asic_sentry.asics.asic import OVER_BUDGET, Asic, Refusal, Rig
from asic_sentry.device import Device
from asic_sentry.poller import Poller

log = logging.getLogger(__name__)

CALL = "api/v1/sentry/asic-logs"
BATCH_LOGS = 1000
BATCH_BYTES = 1_500_000
_GREET_EVERY_S = 600
OVER_BUDGET_S = 60.0
_TOKENS_TO_GREET_WITH = 3
_SPECS = Reader(AsicSpecs)
_UNKNOWN_SITE_TOKEN = "The commander no longer knows the site token. Make a new one there."  # noqa: S105 - a sentence


class AsicUploader(Uploader):
    """The uploader for all ASICs. It needs no site token; an error of the site token is in `site_token_error`."""

    def __init__(
        self,
        db: sqlite3.Connection,
        spool: Spool,
        disk: Worker,
        open_client: Callable[[Enrolment], AbstractAsyncContextManager[CommanderClient]],
        poller: Poller,
        *,
        report_every_s: float,
        changed: Callable[[], None],
        pause_s: float = PAUSE_S,
        probe_every_s: float = PROBE_INVALID_S,
        later_s: float = OVER_BUDGET_S,
    ) -> None:
        super().__init__(db, disk, open_client, report_every_s=report_every_s, changed=changed, pause_s=pause_s)
        self.site_token_error: str | None = None
        self._spool, self._poller = spool, poller
        self._batch = BATCH_LOGS
        self._greet_at = self._probe_at = 0.0
        self._probe_every_s, self._later_s = probe_every_s, later_s
        self._later: dict[int, float] = {}  # by ASIC: when to send again what was over its budget

    def _can_upload(self, enrolment: Enrolment) -> bool:
        return bool(self._poller.devices) or enrolment.token is not None

    async def reload(self) -> None:
        """Takes over what another process, or the local page, wrote into the store. The poller must have done so
        before."""
        new = await self.on_disk(lambda: kit.load_enrolment(self._db))
        await self.on_disk(self._spool.recount)
        await self._hold_back()
        old = self.enrolment
        if old and new and (old.url, old.token, old.ca_pem) == (new.url, new.token, new.ca_pem):
            self.enrolment = replace(new, state=old.state)  # an attempt may have ended since the store was read
        else:
            self.enrolment = new
            if old is not None and (new is None or old.url != new.url):
                await self.on_disk(self._spool.clear)
            self.site_token_error = None
            self._greet_at = 0.0
            self._later.clear()
            self._reset()
        if self.welcome is None:
            self._greet_at = 0.0
        self._changed()
        self.wake()

    async def _hold_back(self) -> None:
        """Holds back the logs of refused ASICs, and of those that were over their budgets a short time ago."""
        now_s = asyncio.get_running_loop().time()
        self._later = {source: until_s for source, until_s in self._later.items() if until_s > now_s}
        refused = {device.asic.id for device in self._poller if device.asic.refusal is not None}
        await self.on_disk(lambda: self._spool.hold_back(refused | self._later.keys()))

    def _send_later(self, parts: Iterable["ReportPart"], wait_s: float | None = None) -> None:
        """Notes that these ASICs are over their budgets. The logs of the others are sent meanwhile."""
        until_s = asyncio.get_running_loop().time() + (self._later_s if wait_s is None else wait_s)
        for part in parts:
            log.warning("over_budget ip=%s rig=%s", part.asic.ip, part.asic.rig.name)
            self._later[part.asic.id] = until_s

    async def _upload(self, client: CommanderClient) -> None:
        if self._later:
            await self._hold_back()
        await self._fetch_welcome(client)
        await self._send_logs(client)
        await self._probe(client)

    async def _fetch_welcome(self, client: CommanderClient) -> None:
        """Asks for the interval with the first token that the commander knows."""
        now = asyncio.get_running_loop().time()
        if now < self._greet_at:
            return
        site = self.enrolment.token if self.enrolment else None
        self.site_token_error = None
        for token in ([site] if site else []) + self._valid_tokens():
            welcome = await self._welcome(client, token)
            if welcome is not None:
                self.welcome = welcome
                break
            if token is site:
                self.site_token_error = _UNKNOWN_SITE_TOKEN
        self._greet_at = now + (_GREET_EVERY_S if self.welcome else self._probe_every_s)

    def _valid_tokens(self) -> list[Token]:
        return [device.asic.token for device in self._poller if device.asic.refusal is None][:_TOKENS_TO_GREET_WITH]

    async def _welcome(self, client: CommanderClient, token: Token) -> SentryWelcome | None:
        try:
            return await client.with_token(token).welcome()
        except (InvalidToken, RigRemoved):
            return None  # the answers to their logs show which ASICs are concerned

    async def _send_logs(self, client: CommanderClient) -> None:
        """Sends the logs that wait at its start. Newer logs are sent by the next attempt."""
        while batch := await self.on_disk(lambda: self._spool.oldest(self._batch, BATCH_BYTES)):
            is_part = len(batch) == self._batch or sum(len(each.body) for each in batch) > BATCH_BYTES / 2
            if await self._send_batch(client, batch) and not is_part:
                break
            await asyncio.sleep(self._pause_s)

    async def _send_batch(self, client: CommanderClient, batch: list[Spooled]) -> bool:
        """Sends a batch. A refused batch is halved, until a log that can't be sent is alone; that log is dropped.

        Returns False if the batch has to be sent in parts.
        """
        parts = [
            ReportPart(device, device.asic, logs)
            for source, logs in _by_source(batch).items()
            if (device := self._poller.devices.get(source)) is not None
        ]
        try:
            results = await self._ask(client, [part.item() for part in parts]) if parts else []
        except OverBudget as error:
            self._send_later(parts, error.retry_after_s)
            await self._hold_back()
            return True
        except (TooLarge, Refused) as error:
            await self._refused(batch, parts, str(error))
            return False
        self._batch = min(BATCH_LOGS, self._batch * 2)
        await self._become(State.ONLINE, None)
        await self._take_results(batch, parts, results)
        return True

    async def _ask(self, client: CommanderClient, items: list[AsicReportItem]) -> list[AsicItemReceipt]:
        """Sends the items. Without a valid token in the header the commander would treat the request as one of a
        stranger."""
        try:
            receipt = await self._with_valid_token(client).post(CALL, AsicReport(items=items), AsicReceipt)
        except (InvalidToken, RigRemoved) as error:
            # A commander answers item by item.
            raise CommanderError("A proxy before the commander asks for a log-in; check it.") from error
        if len(receipt.results) != len(items):
            raise CommanderError(
                "The commander answered for another number of ASICs than were in the report; update it."
            )
        return receipt.results

    def _with_valid_token(self, client: CommanderClient) -> CommanderClient:
        good = self._valid_tokens()
        return client.with_token(good[0]) if good else client

    async def _refused(self, batch: list[Spooled], parts: Sequence["ReportPart"], sentence: str) -> None:
        if len(batch) > 1:
            self._batch = max(1, len(batch) // 2)
        elif any(part.includes_specs for part in parts):
            log.warning("specs_refused %s", mask(sentence))  # the log must not wait for them
            for part in parts:
                part.device.specs_sent = part.asic.identity.specs
        else:
            await self._confirm(batch, None, [sentence])

    async def _take_results(
        self, batch: list[Spooled], parts: Sequence["ReportPart"], results: Sequence[AsicItemReceipt]
    ) -> None:
        """Confirms the logs. Those of an ASIC that has another token by now are sent again."""
        unanswered = set[int]()
        reasons: list[str] = []
        stored = 0
        for part, result in zip(parts, results, strict=True):
            if result.error is not None:
                unanswered.add(part.asic.id)
                await self._note_refusal(part.device, part.asic, Refusal.of(result.error))
                if result.error == OVER_BUDGET:
                    self._send_later([part])
                continue
            part.device.specs_sent = part.asic.identity.specs
            await self._name_rig(part.device, part.asic, result.rig)
            stored += result.stored + result.duplicates
            reasons += [rejected.reason[:200] for rejected in result.rejected]
        await self._confirm([each for each in batch if each.source not in unanswered], stored, reasons)
        await self._hold_back()

    async def _name_rig(self, device: Device, asic: Asic, name: RigName | None) -> None:
        """Stores the rig's new name. `asic` is what was sent; the device may have another token by now."""
        rig = asic.rig if name is None else Rig(name.id, name.name)
        if device.asic.rig == rig or device.asic.token != asic.token:
            return
        device.touch(rig=rig)
        await self._note(lambda: store.name_rig(self._db, asic.id, asic.token, rig))
        self._changed()

    async def _confirm(self, logs: Sequence[Spooled], stored: int | None, reasons: Sequence[str]) -> None:
        if reasons:
            log.warning("logs_rejected count=%d %s", len(reasons), mask(reasons[-1]))
        if stored:
            self.last_stored_at = datetime.now(UTC)
        stored_at = self.last_stored_at.isoformat(timespec="seconds") if stored and self.last_stored_at else None
        await self.on_disk(lambda: self._spool.confirm(logs, stored_at, reasons))

    async def _probe(self, client: CommanderClient) -> None:
        """Asks whether refused tokens are valid again: a commander that was restored from a backup may know them."""
        now = asyncio.get_running_loop().time()
        held = [ReportPart(each, each.asic, []) for each in self._poller if each.asic.refusal is not None][:BATCH_LOGS]
        if not held or now < self._probe_at:
            return
        self._probe_at = now + self._probe_every_s
        results = await self._ask(client, [part.item() for part in held])
        for part, result in zip(held, results, strict=True):
            await self._note_refusal(part.device, part.asic, Refusal.of(result.error))
        await self._hold_back()

    async def _note_refusal(self, device: Device, asic: Asic, refusal: Refusal | None) -> None:
        """Stores a refusal or its end. `asic` is what the answer is about; the device may have another token by now."""
        if device.asic.token != asic.token or device.asic.refusal is refusal:
            return
        log.warning("asic_token ip=%s rig=%s %s", asic.ip, asic.rig.name, refusal or "valid again")
        device.touch(refusal=refusal)
        self._probe_at = asyncio.get_running_loop().time() + self._probe_every_s
        await self._note(lambda: store.note_refusal(self._db, asic.id, asic.token, refusal))
        self._changed()


class ReportPart(NamedTuple):
    """The part of a request that belongs to one ASIC, as the ASIC was when the request was made."""

    device: Device
    asic: Asic
    logs: Sequence[Spooled]

    @property
    def includes_specs(self) -> bool:
        """Returns whether the specs are sent: with the first logs, and after a change."""
        return self.device.specs_sent != self.asic.identity.specs and bool(self.logs)

    def item(self) -> AsicReportItem:
        item = AsicReportItem(token=str(self.asic.token), logs=[msgspec.Raw(each.body) for each in self.logs])
        if not self.includes_specs:
            return item
        specs = left_out(_SPECS, self.asic.identity.sent_specs, self.asic.ip)
        return msgspec.structs.replace(item, specs=msgspec.Raw(msgspec.json.encode(specs)))


def _by_source(batch: Sequence[Spooled]) -> dict[int, list[Spooled]]:
    logs_by_asic: dict[int, list[Spooled]] = {}
    for each in batch:
        logs_by_asic.setdefault(each.source, []).append(each)
    return logs_by_asic
