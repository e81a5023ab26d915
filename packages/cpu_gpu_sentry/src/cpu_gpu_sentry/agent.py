"""The agent: measures, spools, and shows what it does. Measuring never depends on the commander."""

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TypeVar

import httpx
import msgspec
from protocol.messages import CpuGpuLog, CpuGpuSpecs
from protocol.reading import Reader
from sentry_kit import store
from sentry_kit.agent import change_store, follow_store_for_ever, interval_s, user_agent
from sentry_kit.client import CommanderClient, commander_client
from sentry_kit.copies import Copies
from sentry_kit.errors import SentryError
from sentry_kit.impossible import left_out
from sentry_kit.rig_uploader import DiskTrouble, RigUploader
from sentry_kit.spool import Limits, Spool
from sentry_kit.store import Enrolment, State
from sentry_kit.timestamps import Timestamps
from sentry_kit.trust import plain_context
from sentry_kit.worker import Worker

from cpu_gpu_sentry.connection import Connection
from cpu_gpu_sentry.enrolment import KEPT, STORE
from cpu_gpu_sentry.identity import load_key
from cpu_gpu_sentry.inbox import Inbox
from cpu_gpu_sentry.introduction import Introduction
from cpu_gpu_sentry.ladder.sources import Sources
from cpu_gpu_sentry.latest import Latest
from cpu_gpu_sentry.machine.amd import Amd
from cpu_gpu_sentry.machine.fingerprint import Fingerprint, read_fingerprint
from cpu_gpu_sentry.machine.nvidia import Nvidia
from cpu_gpu_sentry.machine.sensors import Sensors
from cpu_gpu_sentry.miner_notes import MinerNote, notes_of, save_notes
from cpu_gpu_sentry.miners.parsing import patient
from cpu_gpu_sentry.miners.poll import poll_all
from cpu_gpu_sentry.operations import Operations
from cpu_gpu_sentry.playbooks.playbook_sync import PlaybooksHandler, PlaybookSync
from cpu_gpu_sentry.playbooks.supervisor import Supervisor
from cpu_gpu_sentry.playbooks.watchdog import Patience
from cpu_gpu_sentry.report import make_log
from cpu_gpu_sentry.settings import DISTRIBUTION, Settings
from cpu_gpu_sentry.signing.guard import SignatureGuard
from cpu_gpu_sentry.watches import Watch, load_watches

log = logging.getLogger(__name__)

T = TypeVar("T")

DEFAULT_INBOX_EVERY_S = 60.0
_STORE_CHECK_S = 1.0
_SPECS_EVERY_S = 600
_FIND_MINING_S = 10
_MINERS_LIMIT = 64  # in one log
_LOG, _SPECS = Reader(CpuGpuLog), Reader(CpuGpuSpecs)


class Agent:
    """One rig's sentry. The service runs its loops; `changed` is called when the local page has something new."""

    def __init__(
        self,
        settings: Settings,
        db: sqlite3.Connection,
        disk: Worker,
        *,
        sources: Sources | None = None,
        read_machine: Callable[[], Fingerprint] = read_fingerprint,
    ) -> None:
        self.changed: Callable[[], None] = lambda: None
        self.latest = Latest()
        self.watches: list[Watch] = load_watches(db)
        self.spool = Spool(db, Limits(settings.spool_days, settings.spool_mb))
        self.version = version(DISTRIBUTION)
        self._settings, self._db = settings, db
        self._timestamps = Timestamps()
        self._sensors = Sensors(Nvidia(), Amd(), data_dir=settings.data_dir)
        self._copies = Copies(settings.data_dir / STORE, KEPT)
        self._noted_interval: float | None = None
        self._noted_miners: list[MinerNote] | None = None
        self.user_agent = user_agent(DISTRIBUTION)
        self.sentry_key: str | None = None  # sent with the rig's token
        self.read_machine = read_machine
        self.introduction = Introduction(self, read_machine)
        self._due = asyncio.Event()  # a report is worth more now than at its time
        self.uploader = RigUploader(
            db,
            self.spool,
            disk,
            self._open_client,
            report_every_s=interval_s(settings.report_every_s, None),
            changed=self._uploader_changed,
            rig_removed=self._remove_mining,
            welcomed=lambda token, welcome: self.signatures.take_welcome(token, welcome),
            introduce=self.introduction.introduce,
        )
        self.signatures: SignatureGuard = SignatureGuard(db, self.uploader.on_disk, changed=self._mining_changed)
        self._stored_before = self.uploader.last_stored_at  # by an earlier start
        self.supervisor = Supervisor(
            settings.data_dir / STORE,
            db,
            self.uploader.on_disk,
            patience=Patience(settings.miner_silent_s, settings.miner_grace_s),
            changed=self._mining_changed,
            mines=self._due.set,
        )
        self.playbook_sync = PlaybookSync(self.supervisor, lambda: self.signatures.refused)
        self.operations = Operations(
            settings,
            db,
            self.uploader,
            self.supervisor,
            self.latest,
            measure=self._sensors.read,
            open_client=self._open_client,
            sentry_version=self.version,
            sources=sources,
            changed=lambda: self.changed(),
        )
        handlers = [PlaybooksHandler(self.supervisor), *self.operations.handlers]
        self.inbox = Inbox(handlers, lambda: self.inbox_every_s, self.signatures)
        loops = [self.inbox.receive_for_ever, self.playbook_sync.send_for_ever, self.operations.sync.send_for_ever]
        self.connection = Connection(self.uploader, self._open_connection, loops)

    @property
    def report_every_s(self) -> float:
        return interval_s(self._settings.report_every_s, self.uploader.welcome)

    @property
    def inbox_every_s(self) -> float:
        """The setting here, else the commander's, else a minute."""
        welcome = self.uploader.welcome
        commander_s = max(1.0, welcome.playbooks_every_s) if welcome else DEFAULT_INBOX_EVERY_S
        return self._settings.playbooks_every_s or commander_s

    def _open_client(self, enrolment: Enrolment) -> AbstractAsyncContextManager[CommanderClient]:
        return self._open_connection(enrolment, connections=1)

    def _open_connection(
        self, enrolment: Enrolment, *, connections: int = 2
    ) -> AbstractAsyncContextManager[CommanderClient]:
        """Opens a client; of its two connections one is for the inbox's held request."""
        return commander_client(
            *(enrolment.url, enrolment.token, enrolment.ca_pem, self.user_agent),
            key=self.sentry_key,
            connections=connections,
        )

    def _uploader_changed(self) -> None:
        self.connection.enrolment_changed()
        if self.uploader.last_stored_at != self._stored_before:
            self.operations.reported()
        self.changed()

    def _mining_changed(self) -> None:
        self.playbook_sync.status_changed()
        self.changed()

    @property
    def _is_to_mine_nothing(self) -> bool:
        """Returns whether the rig was removed or has left; the store then has an empty list of playbooks.

        An enrolment that can't be read means neither.
        """
        has_left = self.uploader.enrolment is None and self.supervisor.wanted == []
        return has_left or self.uploader.state is State.REMOVED

    async def _remove_mining(self) -> None:
        try:
            await self.supervisor.remove()
        except (SentryError, OSError, TimeoutError) as error:
            log.warning("mining_not_removed %s", error)  # tried again at the next change of the store, or start

    async def measure_for_ever(self) -> None:
        """A report every interval, counted from the last one's start, so that measuring takes no time from
        it."""
        clock = asyncio.get_running_loop().time
        await self._await_mining()
        limits = httpx.Limits(max_connections=16, keepalive_expiry=60)
        async with httpx.AsyncClient(verify=plain_context(), trust_env=False, timeout=3, limits=limits) as http:
            while True:
                started = clock()
                self._due.clear()
                await self.measure(http)
                await self._rest(max(0.1, started + self.report_every_s - clock()))

    async def _await_mining(self) -> None:
        """Waits until running miners of before this start are found, so that the first log has their values."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_FIND_MINING_S):
                await self.supervisor.knows_earlier_runs.wait()

    async def _rest(self, pause_s: float) -> None:
        """Waits for the time of the next report, or until a playbook's miner begins to mine: people wait for that."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await self._due.wait()

    async def measure(self, http: httpx.AsyncClient) -> None:
        watches, playbooks = self.watches, self.supervisor.watches
        taken_at_ms = self._timestamps.next_ms(datetime.now(UTC))
        async with asyncio.TaskGroup() as group:
            machine = group.create_task(self._sensors.read())
            polls = group.create_task(poll_all(http, [*watches, *playbooks.values()]))
        self.latest.measured_at = datetime.fromtimestamp(taken_at_ms / 1000, UTC)
        self.latest.machine = machine.result()
        readings = polls.result()
        self.latest.miners = dict(zip(watches, map(patient, readings[: len(watches)]), strict=True))
        self.latest.playbook_miners = self.supervisor.take_readings(
            dict(zip(playbooks, readings[len(watches) :], strict=True))
        )
        if self.uploader.keeps_logs:
            miners = [*self.latest.miners.values(), *self.latest.playbook_miners][:_MINERS_LIMIT]
            await self._keep(taken_at_ms, make_log(taken_at_ms, machine.result(), miners, self.uploader.lan_ip))
        await self._note_interval()
        await self.note_miners()
        self.changed()

    async def _keep(self, taken_at_ms: int, entry: CpuGpuLog) -> None:
        body = msgspec.json.encode(left_out(_LOG, entry, "the log"))
        before = self.spool.trouble
        try:
            await self.uploader.on_disk(lambda: self.spool.append(taken_at_ms, body))
        except DiskTrouble as error:
            log.warning("log_lost %s", error)
        if self.spool.trouble and not before:
            log.warning("spool_in_memory %s", self.spool.trouble)
        self.uploader.wake()

    async def _note_interval(self) -> None:
        every_s = self.uploader.report_every_s = self.report_every_s
        if every_s == self._noted_interval:
            return
        try:
            await self.uploader.on_disk(lambda: store.note_interval(self._db, every_s))
        except DiskTrouble:
            return  # tried again with the next report
        self._noted_interval = every_s

    async def note_miners(self) -> None:
        notes = notes_of([*self.latest.miners.values(), *self.latest.playbook_miners])
        if notes == self._noted_miners:
            return
        with contextlib.suppress(DiskTrouble):  # tried again with the next report
            await self.uploader.on_disk(lambda: save_notes(self._db, notes))
            self._noted_miners = notes

    async def read_specs_for_ever(self) -> None:
        while True:
            specs = await self._sensors.specs(self.version)
            if specs is not None and specs != self.latest.specs:
                self.latest.specs = specs
                self.uploader.specs = msgspec.json.encode(left_out(_SPECS, specs, "the specs"))
                self.uploader.wake()
            await asyncio.sleep(_SPECS_EVERY_S)

    async def follow_store_for_ever(self) -> None:
        """Applies `enroll`, `leave` and `watch` of the command line within a second, without a restart."""
        await follow_store_for_ever(self.uploader, self._store_changes, self.reload, every_s=_STORE_CHECK_S)

    def _store_changes(self) -> int:
        self._copies.save(self._db)
        return store.changes(self._db)

    async def change(self, write: Callable[[sqlite3.Connection], T]) -> T:
        """Changes the store in one transaction; `reload` then applies the change."""
        return await change_store(self.uploader, self._db, write)

    async def reload(self) -> None:
        self.watches = await self.uploader.on_disk(lambda: load_watches(self._db))
        await self.signatures.reload()
        own = await self.uploader.on_disk(lambda: load_key(self._db))
        self.sentry_key = own.of_token if own else None
        await self.uploader.reload()
        await self.operations.ladder.reload()
        await self.supervisor.reload()
        if self._is_to_mine_nothing and self.supervisor.has_left_anything:
            await self._remove_mining()
        self.connection.enrolment_changed()
        self.introduction.enrolment_changed()
        self.changed()
