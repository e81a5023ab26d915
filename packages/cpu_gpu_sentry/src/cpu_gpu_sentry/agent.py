"""The agent: measures, spools, and shows what it does. Measuring never depends on the commander."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version

import httpx
import msgspec
from protocol.messages import CpuGpuSpecs, MinerReading
from sentry_kit import store
from sentry_kit.client import CommanderClient, commander_client
from sentry_kit.delivery import Delivery, DiskTrouble
from sentry_kit.errors import SentryError
from sentry_kit.spool import Limits, Spool
from sentry_kit.store import Enrolment
from sentry_kit.trust import plain_context
from sentry_kit.worker import Worker

from cpu_gpu_sentry.machine.amd import Amd
from cpu_gpu_sentry.machine.nvidia import Nvidia
from cpu_gpu_sentry.machine.sensors import MachineReading, Sensors
from cpu_gpu_sentry.miners.poll import poll_all
from cpu_gpu_sentry.removal import stop_and_delete_mining
from cpu_gpu_sentry.report import Stamps, make_log
from cpu_gpu_sentry.settings import Settings
from cpu_gpu_sentry.watches import Watch, load_watches

log = logging.getLogger(__name__)

DISTRIBUTION = "minewarden-cpu-gpu-sentry"
DEFAULT_REPORT_EVERY_S = 10.0
_STORE_CHECK_S = 1.0
_SPECS_EVERY_S = 600


@dataclass(slots=True)
class Latest:
    """What was measured last, for the local page."""

    measured_at: datetime | None = None
    machine: MachineReading = field(default_factory=MachineReading)
    miners: dict[Watch, MinerReading] = field(default_factory=dict)
    specs: CpuGpuSpecs | None = None


class Agent:
    """One rig's sentry. Its loops are run by the service; `changed` is called when there is something new to
    show."""

    def __init__(self, settings: Settings, db: sqlite3.Connection, disk: Worker) -> None:
        self.changed: Callable[[], None] = lambda: None
        self.latest = Latest()
        self.watches: list[Watch] = load_watches(db)
        self.spool = Spool(db, Limits(settings.spool_days, settings.spool_mb))
        self.version = version(DISTRIBUTION)
        self._settings, self._db = settings, db
        self._stamps = Stamps()
        self._sensors = Sensors(Nvidia(), Amd())
        self._noted_interval: float | None = None
        self.delivery = Delivery(
            db,
            self.spool,
            disk,
            self._open_client,
            report_every_s=settings.report_every_s or DEFAULT_REPORT_EVERY_S,
            changed=lambda: self.changed(),
            rig_removed=stop_and_delete_mining,
        )

    @property
    def report_every_s(self) -> float:
        """The setting here, else the commander's, else 10 s."""
        welcome = self.delivery.welcome
        return self._settings.report_every_s or (
            max(1.0, welcome.report_every_s) if welcome else DEFAULT_REPORT_EVERY_S
        )

    def _open_client(self, enrolment: Enrolment) -> AbstractAsyncContextManager[CommanderClient]:
        return commander_client(enrolment.url, enrolment.token, enrolment.ca_pem, user_agent(self.version))

    async def measure_for_ever(self) -> None:
        """A report every interval, counted from the last one's start, so that measuring takes no time from
        it."""
        clock = asyncio.get_running_loop().time
        limits = httpx.Limits(max_connections=16, keepalive_expiry=60)
        async with httpx.AsyncClient(verify=plain_context(), trust_env=False, timeout=3, limits=limits) as http:
            while True:
                started = clock()
                await self.measure(http)
                await asyncio.sleep(max(0.1, started + self.report_every_s - clock()))

    async def measure(self, http: httpx.AsyncClient) -> None:
        watches = self.watches
        taken_at_ms = self._stamps.next_ms(datetime.now(UTC))
        async with asyncio.TaskGroup() as group:
            machine = group.create_task(self._sensors.read())
            miners = group.create_task(poll_all(http, watches))
        self.latest.measured_at = datetime.fromtimestamp(taken_at_ms / 1000, UTC)
        self.latest.machine = machine.result()
        self.latest.miners = dict(zip(watches, miners.result(), strict=True))
        if self.delivery.keeps_logs:
            await self._keep(
                taken_at_ms, make_log(taken_at_ms, machine.result(), miners.result(), self.delivery.lan_ip)
            )
        await self._note_interval()
        self.changed()

    async def _keep(self, taken_at_ms: int, entry: msgspec.Struct) -> None:
        body = msgspec.json.encode(entry)
        before = self.spool.trouble
        try:
            await self.delivery.on_disk(lambda: self.spool.append(taken_at_ms, body))
        except DiskTrouble as error:
            log.warning("log_lost %s", error)
        if self.spool.trouble and not before:
            log.warning("spool_in_memory %s", self.spool.trouble)
        self.delivery.wake()

    async def _note_interval(self) -> None:
        every_s = self.delivery.report_every_s = self.report_every_s
        if every_s == self._noted_interval:
            return
        try:
            await self.delivery.on_disk(lambda: store.note_interval(self._db, every_s))
        except DiskTrouble:
            return  # tried again with the next report
        self._noted_interval = every_s

    async def read_specs_for_ever(self) -> None:
        while True:
            specs = await self._sensors.specs(self.version)
            if specs is not None and specs != self.latest.specs:
                self.latest.specs = specs
                self.delivery.specs = msgspec.json.encode(specs)
                self.delivery.wake()
            await asyncio.sleep(_SPECS_EVERY_S)

    async def follow_store_for_ever(self) -> None:
        """`enroll`, `leave` and `watch` on the command line take effect within a second, without a
        restart."""
        known: int | None = None
        while True:
            try:
                now = await self.delivery.on_disk(lambda: store.changes(self._db))
                if now != known:
                    await self.reload()
                known = now
            except SentryError as error:
                log.warning("store_unreadable %s", error)
            await asyncio.sleep(_STORE_CHECK_S)

    async def reload(self) -> None:
        self.watches = await self.delivery.on_disk(lambda: load_watches(self._db))
        await self.delivery.reload()
        self.changed()


def user_agent(of_version: str) -> str:
    return f"{DISTRIBUTION}/{of_version}"
