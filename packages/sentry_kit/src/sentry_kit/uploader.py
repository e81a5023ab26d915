"""The loop in which a sentry sends to its commander. Both kinds of sentries have their own subclass.

The commander is often away. A failed attempt notes its reason and is made again, at the latest after one report
interval, so that every sentry is back within its interval after the commander.
"""

import asyncio
import logging
import random
import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from protocol.messages import SentryWelcome
from protocol.reasons import reason

from sentry_kit import store
from sentry_kit.client import Busy, CommanderClient, CommanderError, InvalidToken
from sentry_kit.errors import SentryError
from sentry_kit.masking import mask
from sentry_kit.store import Enrolment, State
from sentry_kit.trust import fetch_renewed_ca, is_out_of_date
from sentry_kit.worker import Worker

log = logging.getLogger(__name__)

PAUSE_S = 0.2  # between full batches: a farm that comes back all at once must not flood its commander
PROBE_INVALID_S = 60
_LONGEST_WAIT_S = 30
_DISK_TIMEOUT_S = 60

T = TypeVar("T")


def backoff_s(failures: int, report_every_s: float, jitter: float) -> float:
    """Returns the pause after this number of failures in a row: 1 s doubling to 30 s, but at most a report interval.

    `jitter` from 0 to 1 spreads a farm's sentries over half of that time.
    """
    longest = min(_LONGEST_WAIT_S, report_every_s)
    return min(longest, 2.0 ** min(failures - 1, 10)) * (0.5 + jitter / 2)


def _moment(text: str | None) -> datetime | None:
    """Parses a time that is only shown; None if it can't be read."""
    try:
        return datetime.fromisoformat(text) if text else None
    except (ValueError, TypeError):
        return None


class DiskTrouble(SentryError):
    """The disk does not work just now. A damaged file is another error and is raised as it is."""


class Uploader(ABC):
    """The state of the sentry towards its commander, and the loop that makes one attempt after the other."""

    def __init__(
        self,
        db: sqlite3.Connection,
        disk: Worker,
        open_client: Callable[[Enrolment], AbstractAsyncContextManager[CommanderClient]],
        *,
        report_every_s: float,
        changed: Callable[[], None],
        pause_s: float = PAUSE_S,
    ) -> None:
        status = store.load_status(db)
        self.enrolment: Enrolment | None = None
        self.error: str | None = None
        self.last_stored_at = _moment(status.last_stored_at)
        self.lan_ip: str | None = None
        self.welcome: SentryWelcome | None = None
        self.report_every_s, self._pause_s = report_every_s, pause_s
        self._db, self._disk = db, disk
        self._open_client = open_client
        self._changed = changed
        self._wake = asyncio.Event()
        self._not_before = 0.0
        self._failures = 0

    @abstractmethod
    async def _upload(self, client: CommanderClient) -> None:
        """Makes one attempt to send everything that waits. Raises `SentryError` if it fails."""

    @abstractmethod
    def _can_upload(self, enrolment: Enrolment) -> bool:
        """Returns whether there is a token to send with."""

    @property
    def state(self) -> State:
        return State.NOT_ENROLLED if self.enrolment is None else self.enrolment.state

    def wake(self) -> None:
        """Starts an attempt at once: there is something new to send."""
        self._wake.set()

    async def on_disk(self, function: Callable[[], T]) -> T:
        try:
            return await self._disk.call(function, timeout_s=_DISK_TIMEOUT_S)
        except (sqlite3.Error, TimeoutError) as error:
            if store.is_damage(error):
                raise
            raise DiskTrouble(f"This machine's disk does not answer as it should ({reason(error)}).") from error

    def _reset(self) -> None:
        self.error = self.welcome = None
        self._failures, self._not_before = 0, 0.0
        self._wake.set()

    async def run(self) -> None:
        """Sends for ever, with one client as long as the enrolment is the same."""
        while True:
            enrolment = self.enrolment
            if enrolment is None or not self._can_upload(enrolment):
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
        """Sends until the enrolment changes, or an attempt fails: after an interrupted request a client may hang."""
        key = (enrolment.token, enrolment.url, enrolment.ca_pem)
        went_well = True
        while went_well and (now := self.enrolment) is not None and (now.token, now.url, now.ca_pem) == key:
            if asyncio.get_running_loop().time() >= self._not_before:
                self._wake.clear()
                went_well = await self._attempt(client)
            await self._rest()

    async def _rest(self) -> None:
        """Waits until there is something to send; after a failure, until the next attempt is due."""
        wait_s: float | None = None
        if self._not_before:  # it may be over: to note the failure took as long as the disk needed
            wait_s = max(0.0, self._not_before - asyncio.get_running_loop().time())
        try:
            async with asyncio.timeout(wait_s):
                await self._wake.wait()
        except TimeoutError:
            return
        if wait_s:
            self._wake.clear()

    async def _attempt(self, client: CommanderClient) -> bool:
        try:
            await self._upload(client)
            await self._succeeded()
        except SentryError as error:
            if not await self._accept_renewed_ca(error):
                await self._failed(error)
            return False
        finally:
            self.lan_ip = client.lan_ip or self.lan_ip
        return True

    async def _accept_renewed_ca(self, error: SentryError) -> bool:
        """Accepts the authority's new certificate with the same key, if the old one's dates were wrong.

        The new certificate must verify the commander.
        """
        enrolment = self.enrolment
        if enrolment is None or enrolment.ca_pem is None or not is_out_of_date(error):
            return False
        old, renewed = enrolment.ca_pem, await fetch_renewed_ca(enrolment.url, enrolment.ca_pem)
        if renewed is None or not await self._verifies(replace(enrolment, token=None, ca_pem=renewed)):
            return False
        await self._note(lambda: store.renew_ca(self._db, old, renewed))
        if self.enrolment is not None and self.enrolment.ca_pem == old:
            self.enrolment = replace(self.enrolment, ca_pem=renewed)
        log.info("authority_renewed The commander renewed its authority's certificate; its key is the same.")
        self._wake.set()
        self._changed()
        return True

    async def _verifies(self, commander: Enrolment) -> bool:
        try:
            async with self._open_client(commander) as client:
                return await client.is_healthy()
        except CommanderError:
            return False

    async def _succeeded(self) -> None:
        self._failures, self._not_before = 0, 0.0
        await self._become(State.ONLINE, None)

    async def _failed(self, error: SentryError) -> None:
        self._failures += 1
        match error:
            case InvalidToken():
                state, wait_s = State.INVALID_TOKEN, float(PROBE_INVALID_S)
            case Busy(retry_after_s=float(retry_after_s)):
                state, wait_s = State.SPOOLING, retry_after_s
            case _:
                state = State.SPOOLING
                wait_s = backoff_s(self._failures, self.report_every_s, random.random())  # noqa: S311 - jitter
        self._not_before = asyncio.get_running_loop().time() + wait_s
        await self._become(state, str(error))

    async def _become(self, state: State, error: str | None) -> None:
        enrolment = self.enrolment
        if enrolment is None or not self._can_upload(enrolment) or (state, error) == (enrolment.state, self.error):
            return
        token, self.error = enrolment.token, error
        log.info("state %s%s", state, f": {mask(error)}" if error else "")
        self.enrolment = replace(enrolment, state=state)
        await self._note(lambda: store.mark_state(self._db, token, state))
        await self._note(lambda: store.note_error(self._db, error))
        self._changed()

    async def _note(self, function: Callable[[], T]) -> T | None:
        """Writes to the disk. Returns None if that fails: everything that is noted here is in memory, too."""
        try:
            return await self.on_disk(function)
        except DiskTrouble as error:
            log.warning("disk %s", error)
            return None
