"""Running the rig: the watchdog's ladder and the commander's commands, and what is reported of both."""

import asyncio
import logging
import os
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import msgspec
from protocol.command_messages import CommandAction, LadderSettings
from protocol.inbox_messages import InboxItem
from protocol.tokens import Token
from sentry_kit.client import CommanderClient
from sentry_kit.errors import SentryError
from sentry_kit.read_only import is_in_memory
from sentry_kit.rig_uploader import RigUploader
from sentry_kit.store import Enrolment

from cpu_gpu_sentry.commands.actions import Actions
from cpu_gpu_sentry.commands.decide import ALLOW
from cpu_gpu_sentry.commands.diagnose import Rig
from cpu_gpu_sentry.commands.runner import CommandRunner
from cpu_gpu_sentry.inbox import InboxHandler
from cpu_gpu_sentry.ladder.ladder import Hosts, Ladder, Readings
from cpu_gpu_sentry.ladder.reach import pool_endpoint, url_endpoint
from cpu_gpu_sentry.ladder.sources import Sources
from cpu_gpu_sentry.latest import Latest
from cpu_gpu_sentry.machine.power import Power
from cpu_gpu_sentry.machine.sensors import MachineReading
from cpu_gpu_sentry.operations_sync import OperationsSync
from cpu_gpu_sentry.playbooks.supervisor import Supervisor
from cpu_gpu_sentry.recent_log import RecentLog
from cpu_gpu_sentry.settings import Settings
from cpu_gpu_sentry.updates.installation import Installation, UpdateFailed, this_installation
from cpu_gpu_sentry.updates.update import Updates

log = logging.getLogger(__name__)

_RECENT_S = 15.0

OpenClient = Callable[[Enrolment], AbstractAsyncContextManager[CommanderClient]]


class LadderHandler:
    """The inbox's handler of the ladder's limits. A version is of this start alone: a maintenance runs by time."""

    kind = LadderSettings.INBOX_KIND

    def __init__(self, ladder: Ladder) -> None:
        self.version: str | None = None
        self._ladder = ladder

    async def take(self, token: Token, item: InboxItem) -> bool:
        await self._ladder.take_settings(msgspec.json.decode(item.body, type=LadderSettings))
        is_news, self.version = item.version != self.version, item.version
        return is_news


def reboot_veto(settings: Settings, db: sqlite3.Connection) -> str | None:
    """Returns the reason why the ladder never reboots this rig, also if the commander allows it."""
    if CommandAction.REBOOT not in settings.allowed_commands:
        return f"the setting {ALLOW} of this rig does not allow reboots"
    if is_in_memory(db):
        return "the disk can only be read, so reboots could not be counted"
    return None


class Operations:
    """The ladder, the commands and their reports, for one rig."""

    def __init__(
        self,
        settings: Settings,
        db: sqlite3.Connection,
        uploader: RigUploader,
        supervisor: Supervisor,
        latest: Latest,
        *,
        measure: Callable[[], Awaitable[MachineReading]],
        open_client: OpenClient,
        sentry_version: str,
        sources: Sources | None = None,
        installation: Installation | None = None,
        changed: Callable[[], None],
    ) -> None:
        self.recent_log = RecentLog()
        self._settings, self._uploader, self._supervisor = settings, uploader, supervisor
        self._latest, self._open_client, self._sentry_version = latest, open_client, sentry_version
        self._measure, self._on_change = measure, changed
        sources, power = sources or Sources(), Power(settings.reboot_command)
        self.ladder = Ladder(
            db, uploader.on_disk, supervisor, power,
            sources=sources, readings=self._readings, hosts=self._hosts, changed=self._changed,
            reboot_veto=reboot_veto(settings, db),
        )  # fmt: skip
        self._installation = installation or this_installation(os.environ, sentry_version)
        self._has_reported = asyncio.Event()
        actions = Actions(
            supervisor, self.ladder, power, sources, self.recent_log, rig=self._rig,
            clock_ahead_s=self._clock_ahead_s, updates=Updates(self._installation, self._own_commander),
        )  # fmt: skip
        self.commands = CommandRunner(
            db, uploader.on_disk, carry=actions.carry_out, allowed=settings.allowed_commands,
            power=power, installation=self._installation, boot=sources.boot, changed=self._changed,
        )  # fmt: skip
        self.sync = OperationsSync(db, uploader.on_disk, boot=sources.boot, now_s=self.ladder.now_s)
        self.handlers: list[InboxHandler] = [self.commands, LadderHandler(self.ladder)]

    async def run(self) -> None:
        """For ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.ladder.run())
            group.create_task(self.commands.run())
            group.create_task(self._prove())

    def reported(self) -> None:
        """The commander has confirmed a report of this start."""
        self._has_reported.set()

    async def _prove(self) -> None:
        """Tells the launcher, once, that this version reports."""
        await self._has_reported.wait()
        try:
            await self._uploader.on_disk(self._installation.prove)
        except (SentryError, OSError) as error:
            log.warning("update_not_proven %s", error)

    def _changed(self) -> None:
        self.sync.changed()
        self._on_change()

    async def _readings(self) -> Readings:
        """Returns the newest measurement, or makes one where reports are rare: heat does not wait for them."""
        is_recent = self._uploader.report_every_s <= _RECENT_S and self._latest.measured_at is not None
        machine = self._latest.machine if is_recent else await self._measure()
        return Readings(machine.cpu, machine.gpus, self._latest.playbook_miners)

    def _hosts(self) -> Hosts:
        works = [work for each in self._supervisor.wanted or [] for work in each.works]
        pools = (pool_endpoint(work.pool) for work in works if work.pool)
        enrolment = self._uploader.enrolment
        commander = url_endpoint(enrolment.url) if enrolment is not None else None
        return Hosts(
            frozenset(each for each in pools if each is not None), frozenset({commander} if commander else set())
        )

    def _rig(self) -> Rig:
        enrolment = self._uploader.enrolment
        return Rig(
            data_dir=self._settings.data_dir,
            commander_url=enrolment.url if enrolment is not None else None,
            playbooks=self._supervisor.wanted or [],
            gpus=self._latest.machine.gpus,
            specs=self._latest.specs,
            expected_cards=self.ladder.state.cards.addresses,
            sentry_version=self._sentry_version,
        )

    @asynccontextmanager
    async def _own_commander(self) -> AsyncIterator[CommanderClient]:
        enrolment = self._uploader.enrolment
        if enrolment is None:
            raise UpdateFailed("The rig has left its commander.")
        async with self._open_client(enrolment) as client:
            yield client

    async def _clock_ahead_s(self) -> float | None:
        enrolment = self._uploader.enrolment
        if enrolment is None:
            return None
        async with self._open_client(enrolment) as client:
            return await client.clock_ahead_s()
