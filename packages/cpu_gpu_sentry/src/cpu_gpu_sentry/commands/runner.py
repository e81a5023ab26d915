"""Carries out commands, one after the other, each once at most.

1. The inbox delivers a command. It may do so again and again, also after a restart of this sentry.
2. `first_status` decides: begun, refused or expired. That is stored, and a known id is never stored twice.
3. Only what was stored as begun is done. A kill before 2 means that the commander delivers it again; a kill after it
   that it has failed. The result of a reboot comes with the next boot, that of an update from the launcher.
"""

import asyncio
import logging
import sqlite3
from collections import deque
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

import msgspec
from msgspec.structs import replace
from protocol.command_messages import Command, CommandAction, Commands, CommandState, CommandStatus
from protocol.inbox_messages import InboxItem
from protocol.tokens import Token
from sentry_kit.errors import SentryError

from cpu_gpu_sentry.commands import store
from cpu_gpu_sentry.commands.decide import POWER, after_restart, first_status
from cpu_gpu_sentry.commands.result import Result, failed
from cpu_gpu_sentry.ladder.sources import Boot
from cpu_gpu_sentry.machine.power import Power, PowerAct
from cpu_gpu_sentry.playbooks.supervisor import OnDisk
from cpu_gpu_sentry.updates.installation import Installation

log = logging.getLogger(__name__)

_BEGUN_AGAIN_S, _UPDATE_AGAIN_S = 30.0, 1.0
_SHOWN = 10
UPDATE = CommandAction.UPDATE_SENTRY
Carry = Callable[[Command], Awaitable[Result]]


@dataclass(frozen=True, slots=True)
class Delivered:
    """A command with the rig to which it was given, and the age of the boot at which it expires."""

    token: Token
    command: Command
    deadline_s: float


class CommandRunner:
    """The commands of one rig; also the inbox's handler of their kind. `changed` is called when a state is news."""

    kind = Commands.INBOX_KIND

    def __init__(
        self,
        db: sqlite3.Connection,
        on_disk: OnDisk,
        *,
        carry: Carry,
        allowed: Collection[str],
        power: Power,
        installation: Installation,
        boot: Callable[[], Boot],
        changed: Callable[[], None],
    ) -> None:
        self.newest = store.newest(db, _SHOWN)  # newest first
        self.version: str | None = None  # of the newest item, since this start
        self._db, self._on_disk, self._carry = db, on_disk, carry
        self._allowed, self._power, self._boot, self._changed = allowed, power, boot, changed
        self._installation = installation
        self._queue: deque[Delivered] = deque()
        self._arrived = asyncio.Event()

    @property
    def waiting(self) -> list[Command]:
        """The commands that are not begun yet."""
        return [each.command for each in self._queue]

    async def take(self, token: Token, item: InboxItem) -> bool:
        """Queues the commands that are new here. Their time runs from now on, by a clock that can't be set.

        One in the queue that is listed no longer was stopped, and never begins.
        """
        now_s = self._boot().age_s
        commands = msgspec.json.decode(item.body, type=Commands).commands
        listed = {each.id for each in commands}
        self._queue = deque(each for each in self._queue if each.command.id in listed)
        queued = {each.command.id for each in self._queue}
        for command in commands:
            if command.id not in queued and not await self._is_known(command.id):
                self._queue.append(Delivered(token, command, now_s + command.valid_s))
        is_news, self.version = item.version != self.version, item.version
        self._arrived.set()
        return is_news

    async def _is_known(self, command_id: str) -> bool:
        """A known one is reported again: the commander would not name it if it knew its last state."""
        is_known = await self._on_disk(lambda: store.is_known(self._db, command_id))
        if is_known:
            await self._on_disk(lambda: store.send_again(self._db, command_id))
            self._changed()
        return is_known

    async def run(self) -> None:
        """For ever."""
        await self._retry(self._settle_after_start)
        while True:
            try:
                async with asyncio.timeout(_UPDATE_AGAIN_S if self._is_updating else _BEGUN_AGAIN_S):
                    await self._arrived.wait()
            except TimeoutError:
                await self._retry(self._settle_begun)
                continue
            self._arrived.clear()
            while self._queue:
                await self._retry(lambda: self._one(self._queue.popleft()))

    @property
    def _is_updating(self) -> bool:
        return any(each.state is CommandState.BEGUN and each.action == UPDATE for each in self.newest)

    async def _retry(self, step: Callable[[], Awaitable[None]]) -> None:
        """A store that can't be written costs the command: nothing is done that was not noted."""
        try:
            await step()
        except SentryError as error:
            log.warning("command_not_noted %s", error)

    async def _settle_after_start(self) -> None:
        await self._on_disk(lambda: store.send_begun_again(self._db))
        await self._settle_begun()
        self._changed()

    async def _settle_begun(self) -> None:
        """Gives a result to what had begun before this start, and to a reboot that does not come."""
        boot = self._boot()
        for each in await self._on_disk(lambda: store.begun(self._db)):
            update = self._installation.progress_of(each.status.id) if each.status.action == UPDATE else None
            status = after_restart(each.status, boot.id, boot.age_s - each.began_s, update)
            if status is not None:
                await self._finish(status)

    async def _one(self, delivered: Delivered) -> None:
        command, boot = delivered.command, self._boot()
        status = first_status(
            command, self._allowed, self._refusal(command.action),
            now_s=boot.age_s, deadline_s=delivered.deadline_s, boot_id=boot.id,
        )  # fmt: skip
        if not await self._on_disk(lambda: store.add(self._db, delivered.token, status, boot.age_s)):
            return
        log.warning("command %s %s %s %s", command.id, command.action, status.state.value, status.text)
        await self._show()
        if status.state is not CommandState.BEGUN:
            return
        result = await self._result(command)
        if result.state is not CommandState.BEGUN:
            text = result.text[:512]
            await self._finish(
                replace(status, state=result.state, text=text, findings=result.findings, logs=result.logs)
            )

    def _refusal(self, action: str) -> str | None:
        if action == UPDATE:
            return self._installation.why_refused
        if action not in POWER:
            return None
        return self._power.why_refused(PowerAct.REBOOT if action == CommandAction.REBOOT else PowerAct.SHUTDOWN)

    async def _result(self, command: Command) -> Result:
        try:
            return await self._carry(command)
        except (SentryError, OSError, TimeoutError) as error:
            return failed(str(error) or "It took too long.")

    async def _finish(self, status: CommandStatus) -> None:
        log.warning("command %s %s %s %s", status.id, status.action, status.state.value, status.text)
        await self._on_disk(lambda: store.finish(self._db, status))
        await self._show()

    async def _show(self) -> None:
        self.newest = await self._on_disk(lambda: store.newest(self._db, _SHOWN))
        self._changed()
