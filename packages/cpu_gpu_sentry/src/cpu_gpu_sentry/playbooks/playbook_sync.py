"""Takes the playbooks from the inbox, and sends the commander their status and the lines that they print."""

import asyncio
import contextlib
import logging
from collections.abc import Callable

import msgspec
from protocol.inbox_messages import InboxItem
from protocol.playbook_messages import OutputReport, Playbooks, PlaybooksStatus
from protocol.tokens import Token
from sentry_kit.client import CommanderClient, Refused, TooLarge

from cpu_gpu_sentry.connection import Session
from cpu_gpu_sentry.playbooks.output_offset import UnsentOutput
from cpu_gpu_sentry.playbooks.supervisor import Supervisor, without_percents

log = logging.getLogger(__name__)

_STATUS_EVERY_S = 1.0
_OUTPUT_EVERY_S = 3.0  # a request costs the rig 3 ms


class PlaybooksHandler:
    """The inbox's handler of playbooks. The supervisor stores them with their version."""

    kind = Playbooks.INBOX_KIND

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor

    @property
    def version(self) -> str | None:
        etag = self._supervisor.etag
        return etag.strip('"') if etag else None

    async def take(self, token: Token, item: InboxItem) -> bool:
        body = bytes(item.body)
        msgspec.json.decode(body, type=Playbooks)
        etag = f'"{item.version}"' if item.version else None
        return await self._supervisor.take_wanted(token, etag, body)


class PlaybookSync:
    """Sends the status of all playbooks, and what they print. `refused` says why newer ones are not taken."""

    def __init__(self, supervisor: Supervisor, refused: Callable[[], str | None] = lambda: None) -> None:
        self._supervisor, self._refused = supervisor, refused
        self._output = UnsentOutput(supervisor)
        self._status_changed = asyncio.Event()

    def status_changed(self) -> None:
        """There may be a new status to send."""
        self._status_changed.set()

    async def send_for_ever(self, session: Session) -> None:
        """Sends a new state at once, another percentage once a second, and output every third one."""
        sent: PlaybooksStatus | None = None
        status_due_s = output_due_s = 0.0
        clock = asyncio.get_running_loop().time
        while True:
            self._status_changed.clear()
            status = msgspec.structs.replace(self._supervisor.status(), refused=self._refused())
            is_due = clock() >= status_due_s or sent is None or without_percents(status) != without_percents(sent)
            is_known = self._supervisor.wanted is not None or status.refused is not None
            if is_known and status != sent and is_due:
                await self._send_status(session.client, status)
                sent, status_due_s = status, clock() + _STATUS_EVERY_S
            if clock() >= output_due_s:
                await self._send_output(session.client)
                output_due_s = clock() + _OUTPUT_EVERY_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_STATUS_EVERY_S):
                    await self._status_changed.wait()

    async def _send_status(self, client: CommanderClient, status: PlaybooksStatus) -> None:
        try:
            await client.send_playbooks_status(msgspec.json.encode(status))
        except (Refused, TooLarge) as error:
            log.warning("status_refused %s", error)  # the next one may be taken

    async def _send_output(self, client: CommanderClient) -> None:
        """Lines that are not confirmed are read and sent again: the commander knows them by their numbers."""
        output = await self._output.next_lines()
        if not output:
            return
        try:
            await client.send_output(msgspec.json.encode(OutputReport(output=output)))
        except (Refused, TooLarge) as error:
            log.warning("output_refused %s", error)
        await self._output.confirm()
