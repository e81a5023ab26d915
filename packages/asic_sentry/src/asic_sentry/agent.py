"""The agent: polls the ASICs, spools and uploads their logs, and finds ASICs at new addresses. None of it depends on
the commander."""

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from importlib.metadata import version

import msgspec
from protocol.asic_messages import AsicLog
from sentry_kit import store as kit
from sentry_kit.agent import change_store, follow_store_for_ever, interval_s, user_agent
from sentry_kit.client import CommanderClient, commander_client
from sentry_kit.copies import Copies
from sentry_kit.spool import Limits, Spool, Spooled
from sentry_kit.store import Enrolment
from sentry_kit.uploader import PROBE_INVALID_S, DiskTrouble
from sentry_kit.worker import Worker

from asic_sentry.asics import store
from asic_sentry.asics.asic import Refusal
from asic_sentry.asics.logins import Logins, load_logins
from asic_sentry.device import Device
from asic_sentry.poller import AT_ONCE, Poller
from asic_sentry.relocate import Relocator
from asic_sentry.scan import Scans
from asic_sentry.settings import DISTRIBUTION, Settings
from asic_sentry.uploader import OVER_BUDGET_S, AsicUploader

log = logging.getLogger(__name__)

_UNWRITTEN_LIMIT = 20_000


@dataclass(frozen=True, slots=True)
class Pace:
    """The intervals of the agent: all samples of a second are one commit, and changes by another process apply within
    half a second."""

    write_every_s: float = 1.0
    store_check_s: float = 0.5
    probe_every_s: float = PROBE_INVALID_S
    over_budget_s: float = OVER_BUDGET_S
    copy_every_s: float = 5.0


PACE = Pace()


class Agent:
    """The sentry of one network. The service runs its loops. `changed` is called when the page has something new to
    show."""

    def __init__(
        self, settings: Settings, db: sqlite3.Connection, disk: Worker, *, connections: int, pace: Pace = Pace()
    ) -> None:
        self.changed: Callable[[], None] = lambda: None
        self.version = version(DISTRIBUTION)
        self.spool = Spool(db, Limits(settings.spool_days, settings.spool_mb, memory_mb=16))
        self.poller = Poller(interval_s(settings.poll_every_s, None), at_once=min(AT_ONCE, connections))
        self.poller.listeners.sampled = self._sampled
        self.poller.listeners.failing = self._failing
        self.poller.listeners.identified = self._identified
        self.model_overrides: dict[str, store.ModelOverride] = {}
        self.logins: Logins = {}
        self._settings, self._db, self._pace = settings, db, pace
        self._copies, self._copy_at_s = Copies(settings.data_dir / store.STORE, store.KEPT), 0.0
        self.scans = Scans()
        self.relocator = Relocator(self.poller, self._remember)
        self._samples: list[Spooled] = []
        self._notes: dict[tuple[int, str], Callable[[], object]] = {}
        self._encoder = msgspec.json.Encoder()
        self.uploader = AsicUploader(
            db,
            self.spool,
            disk,
            self._open_client,
            self.poller,
            report_every_s=self.poller.schedule.every_s,
            changed=lambda: self.changed(),
            probe_every_s=pace.probe_every_s,
            later_s=pace.over_budget_s,
        )

    @property
    def poll_every_s(self) -> float:
        return interval_s(self._settings.poll_every_s, self.uploader.welcome)

    def _open_client(self, enrolment: Enrolment) -> AbstractAsyncContextManager[CommanderClient]:
        """Opens a connection without a token: each ASIC has its own."""
        return commander_client(enrolment.url, None, enrolment.ca_pem, user_agent(DISTRIBUTION))

    def _sampled(self, device: Device, sample: AsicLog) -> None:
        if self.uploader.enrolment is None or device.asic.refusal is Refusal.RIG_REMOVED:
            return
        if len(self._samples) < _UNWRITTEN_LIMIT:  # the disk hangs, and the page shows it
            self._samples.append(Spooled(None, device.last_ms, self._encoder.encode(sample), device.asic.id))

    def _failing(self, device: Device) -> None:
        asic = device.asic
        if asic.failure is not None:
            log.info("asic_silent ip=%s %s", asic.ip, asic.failure.kind)
        else:
            log.info("asic_answers ip=%s", asic.ip)
        self._notes[asic.id, "failure"] = lambda: store.note_failure(
            self._db, asic.id, asic.failure, asic.failing_since
        )

    def _identified(self, device: Device) -> None:
        asic = device.asic
        self._notes[asic.id, "identity"] = lambda: store.note_identity(
            self._db, asic.id, asic.identity, asic.mac, asic.identified_at
        )

    async def write_for_ever(self) -> None:
        """Writes the samples of each second in one transaction, then wakes the uploader."""
        while True:
            await asyncio.sleep(self._pace.write_every_s)
            self.poller.change_interval(self.poll_every_s)
            self.uploader.report_every_s = self.poll_every_s
            if self._samples or self._notes:
                await self._write()
            self.changed()

    async def _write(self) -> None:
        samples, self._samples = self._samples, []
        notes, self._notes = self._notes, {}
        before = self.spool.trouble
        try:
            await self.uploader.on_disk(lambda: self.spool.extend(samples))
            if notes:
                await self.uploader.on_disk(lambda: self._note(list(notes.values())))
        except DiskTrouble as error:
            log.warning("disk %s", error)
            self._notes = notes | self._notes
        if self.spool.trouble and not before:
            log.warning("spool_in_memory %s", self.spool.trouble)
        if samples:
            self.uploader.wake()

    async def _remember(self, write: Callable[[sqlite3.Connection], None]) -> None:
        await self.change(write)
        self.changed()

    async def change(self, write: Callable[[sqlite3.Connection], object]) -> None:
        """Changes the store in one transaction; `reload` then applies the change."""
        await change_store(self.uploader, self._db, write)

    def _note(self, notes: list[Callable[[], object]]) -> None:
        with kit.transaction(self._db):
            for write in notes:
                write()

    async def follow_store_for_ever(self) -> None:
        """Applies `add`, `remove`, `set` and `connect` of the command line at once, without a restart."""
        await follow_store_for_ever(self.uploader, self._store_changes, self.reload, every_s=self._pace.store_check_s)

    def _store_changes(self) -> int:
        """Returns the store's change counter. Copies are saved every few seconds only: 1,000 ASICs take 5 ms."""
        now_s = time.monotonic()
        if now_s >= self._copy_at_s:
            self._copies.save(self._db)
            self._copy_at_s = now_s + self._pace.copy_every_s
        return kit.changes(self._db)

    async def reload(self) -> None:
        asics = await self.uploader.on_disk(lambda: store.load_asics(self._db))
        self.model_overrides = await self.uploader.on_disk(lambda: store.load_model_overrides(self._db))
        gone = self.poller.devices.keys() - {asic.id for asic in asics}
        self.logins = await self.uploader.on_disk(lambda: load_logins(self._db))
        self.poller.take(asics, {key: entry.override for key, entry in self.model_overrides.items()}, self.logins)
        if gone:
            self._samples = [each for each in self._samples if each.source not in gone]
            await self.uploader.on_disk(lambda: self.spool.forget(gone))
        await self.uploader.reload()
