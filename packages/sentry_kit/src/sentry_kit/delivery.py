"""Brings the spool to the commander: oldest first, one request at a time, for as long as it takes.

The commander's absence is the ordinary case here: an attempt fails, says why, and is made again, at the
latest after one report interval, so that every sentry is back within its interval when the commander is.
"""

import asyncio
import logging
import random
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

from protocol.messages import LogReceipt, SentryWelcome

from sentry_kit import store
from sentry_kit.client import (
    Busy,
    CommanderClient,
    CommanderError,
    InvalidToken,
    Refused,
    RigRemoved,
    TooLarge,
)
from sentry_kit.errors import SentryError
from sentry_kit.masking import mask
from sentry_kit.spool import Spool, Spooled
from sentry_kit.store import Enrolment, State
from sentry_kit.worker import Worker

log = logging.getLogger(__name__)

BATCH_LOGS = 200
BATCH_BYTES = 1_000_000
PAUSE_S = 0.2  # between full batches: a farm that comes back all at once must not flood its commander
_PROBE_INVALID_S = 60
_LONGEST_WAIT_S = 30
_DISK_TIMEOUT_S = 60

T = TypeVar("T")


def backoff_s(failures: int, report_every_s: float, jitter: float) -> float:
    """How long to wait after so many failures in a row: 1 s doubling to 30 s, but never beyond a report
    interval.

    `jitter` from 0 to 1 spreads a farm's sentries over half of that time.
    """
    longest = min(_LONGEST_WAIT_S, report_every_s)
    return min(longest, 2.0 ** min(failures - 1, 10)) * (0.5 + jitter / 2)


class DiskTrouble(SentryError):
    """The disk does not do what it should just now; a damaged file is another matter and is raised as it
    is."""


class Delivery:
    """Where the sentry stands with its commander, and the one loop that sends."""

    def __init__(
        self,
        db: sqlite3.Connection,
        spool: Spool,
        disk: Worker,
        open_client: Callable[[Enrolment], AbstractAsyncContextManager[CommanderClient]],
        *,
        report_every_s: float,
        changed: Callable[[], None],
        rig_removed: Callable[[], None],
        pause_s: float = PAUSE_S,
    ) -> None:
        status = store.load_status(db)
        self.enrolment: Enrolment | None = None
        self.error: str | None = None
        self.two_sentries = status.two_sentries
        self.last_stored_at = datetime.fromisoformat(status.last_stored_at) if status.last_stored_at else None
        self.lan_ip: str | None = None
        self.welcome: SentryWelcome | None = None
        self.specs: bytes | None = None
        self.report_every_s, self._pause_s = report_every_s, pause_s
        self._db, self._spool, self._disk = db, spool, disk
        self._open_client = open_client
        self._changed, self._rig_removed = changed, rig_removed
        self._wake = asyncio.Event()
        self._not_before = 0.0
        self._failures = 0
        self._batch = BATCH_LOGS
        self._sent_specs: bytes | None = None

    @property
    def state(self) -> State:
        return State.NOT_ENROLLED if self.enrolment is None else self.enrolment.state

    @property
    def keeps_logs(self) -> bool:
        """Whether there is a rig that logs belong to."""
        return self.enrolment is not None and self.enrolment.token is not None

    def wake(self) -> None:
        """There is something new to send."""
        self._wake.set()

    async def on_disk(self, function: Callable[[], T]) -> T:
        try:
            return await self._disk.call(function, timeout_s=_DISK_TIMEOUT_S)
        except (sqlite3.Error, TimeoutError) as error:
            if store.is_damage(error):
                raise
            raise DiskTrouble(f"This machine's disk does not answer as it should ({error}).") from error

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
        self._start_anew()
        self._changed()

    def _start_anew(self) -> None:
        self.error = self._sent_specs = self.welcome = None
        self.two_sentries = False
        self._failures, self._not_before = 0, 0.0
        self._wake.set()

    async def run(self) -> None:
        """Sends for ever. One client as long as the enrolment is the same."""
        while True:
            enrolment = self.enrolment
            if enrolment is None or enrolment.token is None:
                await self._wake.wait()
                self._wake.clear()
                continue
            try:
                async with self._open_client(enrolment) as client:
                    await self._send_while(client, enrolment)
            except CommanderError as error:  # the client itself can't be made
                await self._failed(error)
                await self._rest()

    async def _send_while(self, client: CommanderClient, enrolment: Enrolment) -> None:
        """Until the enrolment is another one, or an attempt failed: a broken-off request may leave its client stuck."""
        key = (enrolment.token, enrolment.url, enrolment.ca_pem)
        went_well = True
        while went_well and (now := self.enrolment) is not None and (now.token, now.url, now.ca_pem) == key:
            if asyncio.get_running_loop().time() >= self._not_before:
                self._wake.clear()
                went_well = await self._attempt(client)
            await self._rest()

    async def _rest(self) -> None:
        """Until there is news; after a failure, until the next attempt is due."""
        wait_s = self._not_before - asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(wait_s if wait_s > 0 else None):
                await self._wake.wait()
        except TimeoutError:
            return
        if wait_s > 0:
            self._wake.clear()

    async def _attempt(self, client: CommanderClient) -> bool:
        try:
            await self._greet(client)
            await self._send_specs(client)
            await self._send_logs(client)
            await self._succeeded()
        except SentryError as error:
            await self._failed(error)
            return False
        finally:
            self.lan_ip = client.lan_ip or self.lan_ip
        return True

    async def _greet(self, client: CommanderClient) -> None:
        if self.welcome is not None and self.state is State.ONLINE:
            return
        self.welcome = welcome = await client.welcome()
        if welcome.rig is not None:
            await self._name_rig(welcome.rig.id, welcome.rig.name)

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
        """One that is refused as a whole is halved, until the log that can't be sent stands alone and is
        given up."""
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
        if receipt.two_sentries != self.two_sentries:
            self.two_sentries = receipt.two_sentries
            log.warning("two_sentries %s", self.two_sentries)
            await self._note(lambda: store.note_two_sentries(self._db, receipt.two_sentries))
        self._changed()

    async def _confirm(self, batch: list[Spooled], stored_at: str | None, reasons: Sequence[str]) -> None:
        if reasons:
            log.warning("logs_rejected count=%d %s", len(reasons), mask(reasons[-1]))
        await self.on_disk(lambda: self._spool.confirm(batch, stored_at, reasons))

    async def _succeeded(self) -> None:
        self._failures, self._not_before = 0, 0.0
        await self._become(State.ONLINE, None)

    async def _failed(self, error: SentryError) -> None:
        self._failures += 1
        match error:
            case RigRemoved():
                await self._remove(str(error))
                return
            case InvalidToken():
                state, wait_s = State.INVALID_TOKEN, float(_PROBE_INVALID_S)
            case Busy(retry_after_s=float(retry_after_s)):
                state, wait_s = State.SPOOLING, retry_after_s
            case _:
                state = State.SPOOLING
                wait_s = backoff_s(self._failures, self.report_every_s, random.random())  # noqa: S311 - jitter
        self._not_before = asyncio.get_running_loop().time() + wait_s
        await self._become(state, str(error))

    async def _become(self, state: State, error: str | None) -> None:
        enrolment = self.enrolment
        if enrolment is None or enrolment.token is None or (state, error) == (enrolment.state, self.error):
            return
        token, self.error = enrolment.token, error
        log.info("state %s%s", state, f": {mask(error)}" if error else "")
        self.enrolment = replace(enrolment, state=state)
        await self._note(lambda: store.mark_state(self._db, token, state))
        await self._note(lambda: store.note_error(self._db, error))
        self._changed()

    async def _remove(self, error: str) -> None:
        """F4. Only if the answer was about the token that the sentry has now."""
        enrolment = self.enrolment
        if enrolment is None or enrolment.token is None:
            return
        token = enrolment.token
        if await self._note(lambda: store.mark_removed(self._db, token)) is False:
            return
        log.warning("rig_removed")
        self._rig_removed()
        if self.enrolment is None or self.enrolment.token != token:
            return  # enrolled anew while that was noted
        self.enrolment = replace(enrolment, token=None, state=State.REMOVED)
        self.error = error
        await self._note(self._spool.clear)
        await self._note(lambda: store.note_error(self._db, error))
        self._changed()

    async def _note(self, function: Callable[[], T]) -> T | None:
        """None if the disk can't be written now: what is noted here is known in memory too."""
        try:
            return await self.on_disk(function)
        except DiskTrouble as error:
            log.warning("disk %s", error)
            return None
