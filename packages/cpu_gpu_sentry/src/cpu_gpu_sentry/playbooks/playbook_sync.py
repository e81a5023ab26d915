"""Speaks with the commander about playbooks: asks what is wanted, and tells what became of it and what is printed.

The question is held open by a commander that can wait, so that news come at once; with one that can't, it is asked
every minute. All of it is apart from the logs: neither has to wait for the other.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import msgspec
from protocol.playbook_messages import OutputReport, PlaybooksStatus
from sentry_kit.client import Busy, CommanderClient, CommanderError, InvalidToken, Refused, RigRemoved, TooLarge
from sentry_kit.rig_uploader import DiskTrouble, RigUploader, backoff_s
from sentry_kit.store import Enrolment

from cpu_gpu_sentry.playbooks.output_offset import UnsentOutput
from cpu_gpu_sentry.playbooks.supervisor import Supervisor, without_percents

log = logging.getLogger(__name__)

DEFAULT_EVERY_S = 60.0
_LONGEST_WAIT_S = 50.0
_LEAST_PAUSE_S = 1.0
_PROBE_INVALID_S = 60.0
_TELL_EVERY_S = 1.0
_OUTPUT_EVERY_S = 3.0  # a request costs the rig 3 ms


class PlaybookSync:
    """One rig's talk with its commander about playbooks; `turn` is called when the enrolment may be another one."""

    def __init__(
        self,
        supervisor: Supervisor,
        delivery: RigUploader,
        open_client: Callable[[Enrolment], AbstractAsyncContextManager[CommanderClient]],
        *,
        own_every_s: float | None,
    ) -> None:
        self._supervisor, self._delivery, self._open_client = supervisor, delivery, open_client
        self._own_every_s = own_every_s
        self._output = UnsentOutput(supervisor)
        self._turned, self._told = asyncio.Event(), asyncio.Event()
        self._failures = 0

    @property
    def every_s(self) -> float:
        """The setting here, else the commander's, else a minute."""
        welcome = self._delivery.welcome
        told_s = max(1.0, welcome.playbooks_every_s) if welcome else DEFAULT_EVERY_S
        return self._own_every_s or told_s

    def status_changed(self) -> None:
        """There may be a new state to tell."""
        self._told.set()

    def enrolment_changed(self) -> None:
        self._turned.set()

    async def run(self) -> None:
        """For ever; with each enrolment anew."""
        while True:
            self._turned.clear()
            enrolment = self._delivery.enrolment
            if enrolment is None or enrolment.token is None:
                await self._turned.wait()
                continue
            async with asyncio.TaskGroup() as group:
                talk = group.create_task(self._talk(enrolment))
                await self._until_another(enrolment)
                talk.cancel()

    async def _until_another(self, enrolment: Enrolment) -> None:
        key = (enrolment.token, enrolment.url, enrolment.ca_pem)
        while (now := self._delivery.enrolment) is not None and (now.token, now.url, now.ca_pem) == key:
            await self._turned.wait()
            self._turned.clear()

    async def _talk(self, enrolment: Enrolment) -> None:
        self._failures = 0
        while True:
            error = await self._until_trouble(enrolment)
            self._failures += 1
            log.debug("exchange %s", error)
            match error:
                case RigRemoved():
                    self._delivery.doubt()
                    wait_s = self._delivery.report_every_s
                case InvalidToken():
                    wait_s = _PROBE_INVALID_S
                case Busy(retry_after_s=float(retry_after_s)):
                    wait_s = retry_after_s
                case _:
                    wait_s = backoff_s(self._failures, self._delivery.report_every_s, random.random())  # noqa: S311
            await asyncio.sleep(wait_s)

    async def _until_trouble(self, enrolment: Enrolment) -> CommanderError | DiskTrouble:
        """One client for as long as all goes well; what went wrong."""
        trouble: list[CommanderError | DiskTrouble] = []
        try:
            async with self._open_client(enrolment) as client, asyncio.TaskGroup() as group:
                group.create_task(self._ask_for_ever(client, enrolment))
                group.create_task(self._tell_for_ever(client))
        except* (CommanderError, DiskTrouble) as errors:
            trouble.append(_first(errors))
        return trouble[0]

    async def _ask_for_ever(self, client: CommanderClient, enrolment: Enrolment) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            began_s, every_s = clock(), self.every_s
            wait_s = min(_LONGEST_WAIT_S, every_s)
            answer = await client.playbooks(self._supervisor.etag, wait_s)
            self._failures = 0
            is_news = False
            if answer is not None and enrolment.token is not None:
                is_news = await self._supervisor.take_wanted(enrolment.token, answer.etag, answer.body)
            has_waited = clock() - began_s >= wait_s - _LEAST_PAUSE_S
            pause_s = _LEAST_PAUSE_S if is_news else 0.0 if has_waited else began_s + every_s - clock()
            await asyncio.sleep(max(0.0, pause_s))

    async def _tell_for_ever(self, client: CommanderClient) -> None:
        """A state at once, a percent more once a second, output every third one."""
        sent: PlaybooksStatus | None = None
        status_due_s = output_due_s = 0.0
        clock = asyncio.get_running_loop().time
        while True:
            self._told.clear()
            status = self._supervisor.status()
            is_due = clock() >= status_due_s or sent is None or without_percents(status) != without_percents(sent)
            if self._supervisor.wanted is not None and status != sent and is_due:
                await self._send_status(client, status)
                sent, status_due_s = status, clock() + _TELL_EVERY_S
            if clock() >= output_due_s:
                await self._send_output(client)
                output_due_s = clock() + _OUTPUT_EVERY_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_TELL_EVERY_S):
                    await self._told.wait()

    async def _send_status(self, client: CommanderClient, status: PlaybooksStatus) -> None:
        try:
            await client.send_playbooks_status(msgspec.json.encode(status))
        except (Refused, TooLarge) as error:
            log.warning("status_refused %s", error)  # the next one may be taken

    async def _send_output(self, client: CommanderClient) -> None:
        """What is not confirmed is read and sent again: the commander knows lines by their numbers."""
        output = await self._output.next_lines()
        if not output:
            return
        try:
            await client.send_output(msgspec.json.encode(OutputReport(output=output)))
        except (Refused, TooLarge) as error:
            log.warning("output_refused %s", error)
        await self._output.confirm()


def _first(errors: BaseExceptionGroup[CommanderError | DiskTrouble]) -> CommanderError | DiskTrouble:
    for each in errors.exceptions:
        return _first(each) if isinstance(each, BaseExceptionGroup) else each
    raise AssertionError("a group is never empty")
