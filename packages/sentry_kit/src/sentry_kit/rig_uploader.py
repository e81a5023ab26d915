"""Uploads a rig's spool: oldest logs first, one request at a time."""

import asyncio
import logging
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime

from protocol.messages import LogReceipt, SentryWelcome
from protocol.tokens import Token

from sentry_kit import store
from sentry_kit.client import CommanderClient, Refused, RigRemoved, TooLarge
from sentry_kit.errors import SentryError
from sentry_kit.masking import mask
from sentry_kit.spool import Spool, Spooled
from sentry_kit.store import Enrolment, State
from sentry_kit.uploader import PAUSE_S, DiskTrouble, Uploader, backoff_s
from sentry_kit.worker import Worker

__all__ = ["PAUSE_S", "DiskTrouble", "RigUploader", "backoff_s"]

log = logging.getLogger(__name__)

BATCH_LOGS = 200
BATCH_BYTES = 1_000_000


_DOUBT_EVERY_S = 30.0


async def _needs_no_introduction(_client: CommanderClient) -> bool:
    return True


class RigUploader(Uploader):
    """The uploader of a CPU/GPU sentry, which has one token.

    `introduce` says on which machine the sentry is, before anything else is sent. It returns False if the sentry has
    another rig's token since then. While two sentries report with one token, it is called again and again.
    """

    def __init__(
        self,
        db: sqlite3.Connection,
        spool: Spool,
        disk: Worker,
        open_client: Callable[[Enrolment], AbstractAsyncContextManager[CommanderClient]],
        *,
        report_every_s: float,
        changed: Callable[[], None],
        rig_removed: Callable[[], Awaitable[None]],
        welcomed: Callable[[Token, SentryWelcome], Awaitable[None]] | None = None,
        introduce: Callable[[CommanderClient], Awaitable[bool]] = _needs_no_introduction,
        pause_s: float = PAUSE_S,
    ) -> None:
        super().__init__(db, disk, open_client, report_every_s=report_every_s, changed=changed, pause_s=pause_s)
        self.two_sentries = store.load_status(db).two_sentries
        self.waits_for_approval = False
        self.is_introduced = False
        self._introduce, self._doubts_at_s = introduce, 0.0
        self.specs: bytes | None = None
        self._spool, self._rig_removed, self._welcomed = spool, rig_removed, welcomed
        self._batch = BATCH_LOGS
        self._sent_specs: bytes | None = None

    @property
    def keeps_logs(self) -> bool:
        """Returns whether there is a rig that logs belong to."""
        return self.enrolment is not None and self.enrolment.state is not State.REMOVED

    def _can_upload(self, enrolment: Enrolment) -> bool:
        return enrolment.token is not None

    async def reload(self) -> None:
        """Takes over what another process, or the local page, wrote into the store."""
        new = await self.on_disk(lambda: store.load_enrolment(self._db))
        await self.on_disk(self._spool.recount)
        old = self.enrolment
        if new == old:
            return
        self.enrolment = new
        if old is not None and (new is None or new.token is None or not old.same_rig(new)):
            await self.on_disk(self._spool.clear)
        self._reset()
        self._changed()

    def _reset(self) -> None:
        self._sent_specs = None
        self.two_sentries = self.waits_for_approval = False
        self.is_introduced = False
        super()._reset()

    async def _upload(self, client: CommanderClient) -> None:
        await self._greet(client)
        if not await self._introduced(client):
            return
        await self._send_specs(client)
        await self._send_logs(client)

    def forget_introduction(self) -> None:
        """Notes that the token's rig is another machine, so that this one does nothing for it."""
        if self.is_introduced:
            self.is_introduced = False
            self._changed()

    async def _introduced(self, client: CommanderClient) -> bool:
        now_s = asyncio.get_running_loop().time()
        if self.is_introduced and not (self.two_sentries and now_s >= self._doubts_at_s):
            return True
        if not await self._introduce(client):
            return False
        self._doubts_at_s = now_s + _DOUBT_EVERY_S
        if not self.is_introduced:
            self.is_introduced = True
            self._changed()
        return True

    async def _greet(self, client: CommanderClient) -> None:
        if self.welcome is not None and self.state is State.ONLINE:
            return
        self.welcome = welcome = await client.welcome()
        if welcome.rig is not None:
            await self._name_rig(welcome.rig.id, welcome.rig.name)
        if self._welcomed is not None and client.token is not None:
            await self._welcomed(client.token, welcome)

    async def _name_rig(self, rig_id: int, name: str) -> None:
        enrolment = self.enrolment
        if enrolment is None or enrolment.token is None or (enrolment.rig_id, enrolment.rig_name) == (rig_id, name):
            return
        token = enrolment.token
        self.enrolment = replace(enrolment, rig_id=rig_id, rig_name=name)
        await self._note(lambda: store.name_rig(self._db, token, rig_id, name))
        self._changed()

    async def _send_specs(self, client: CommanderClient) -> None:
        specs = self.specs
        if specs is None or specs == self._sent_specs:
            return
        try:
            await client.send_specs(specs)
        except (Refused, TooLarge) as error:
            log.warning("specs_refused %s", mask(str(error)))  # the logs must not wait for them
        self._sent_specs = specs

    async def _send_logs(self, client: CommanderClient) -> None:
        while batch := await self.on_disk(lambda: self._spool.oldest(self._batch, BATCH_BYTES)):
            await self._send_batch(client, batch)
            if not len(self._spool):
                break
            await asyncio.sleep(self._pause_s)

    async def _send_batch(self, client: CommanderClient, batch: list[Spooled]) -> None:
        """Sends a batch. A refused batch is halved, until a log that can't be sent is alone; that log is dropped."""
        try:
            receipt = await client.send_logs([each.body for each in batch])
        except (TooLarge, Refused) as error:
            if len(batch) > 1:
                self._batch = max(1, len(batch) // 2)
                return
            await self._confirm(batch, None, [str(error)])
            return
        self._batch = min(BATCH_LOGS, self._batch * 2)
        await self._take_receipt(batch, receipt)

    async def _take_receipt(self, batch: list[Spooled], receipt: LogReceipt) -> None:
        now = datetime.now(UTC)
        if receipt.stored or receipt.duplicates:
            self.last_stored_at = now
        reasons = [rejected.reason[:200] for rejected in receipt.rejected]
        stored_at = now.isoformat(timespec="seconds") if self.last_stored_at == now else None
        await self._confirm(batch, stored_at, reasons)
        await self._become(State.ONLINE, None)
        self.waits_for_approval = receipt.waits_for_approval
        if receipt.rig is not None:
            await self._name_rig(receipt.rig.id, receipt.rig.name)
        if receipt.two_sentries != self.two_sentries:
            self.two_sentries = receipt.two_sentries
            log.warning("two_sentries %s", self.two_sentries)
            await self._note(lambda: store.note_two_sentries(self._db, receipt.two_sentries))
        self._changed()

    async def _confirm(self, batch: list[Spooled], stored_at: str | None, reasons: Sequence[str]) -> None:
        if reasons:
            log.warning("logs_rejected count=%d %s", len(reasons), mask(reasons[-1]))
        await self.on_disk(lambda: self._spool.confirm(batch, stored_at, reasons))

    async def _failed(self, error: SentryError) -> None:
        if isinstance(error, RigRemoved):
            await self._remove(str(error))
        else:
            await super()._failed(error)

    async def note_trouble(self, error: str | None) -> None:
        """Notes why a sentry without a rig can't enroll by itself."""
        if error != self.error:
            self.error = error
            await self._note(lambda: store.note_error(self._db, error))
            self._changed()

    def doubt(self) -> None:
        """Asks the commander again at once: another request was answered that the rig is removed."""
        self.welcome = None
        self._not_before = 0.0
        self._wake.set()

    async def _remove(self, error: str) -> None:
        """Forgets the rig, but only if the answer was about the token that the sentry has now."""
        enrolment = self.enrolment
        if enrolment is None or enrolment.token is None:
            return
        token = enrolment.token
        if await self._note(lambda: store.mark_removed(self._db, token)) is False:
            return
        log.warning("rig_removed")
        if self.enrolment is not None and self.enrolment.token == token:  # not enrolled again in the meantime
            self.enrolment = replace(enrolment, token=None, state=State.REMOVED)
            self.error = error
            await self._note(self._spool.clear)
            await self._note(lambda: store.note_error(self._db, error))
        self._changed()
        await self._rig_removed()
