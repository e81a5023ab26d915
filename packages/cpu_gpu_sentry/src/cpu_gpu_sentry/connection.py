"""The sentry's connection to its commander beside the reports: what it receives, and what it sends of its playbooks.

Neither the logs nor this has to wait for the other.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from protocol.tokens import Token
from sentry_kit.client import Busy, CommanderClient, CommanderError, InvalidToken, RigRemoved
from sentry_kit.rig_uploader import DiskTrouble, RigUploader, backoff_s
from sentry_kit.store import Enrolment

log = logging.getLogger(__name__)

_PROBE_INVALID_S = 60.0


@dataclass(frozen=True, slots=True)
class Session:
    """One client, used until something goes wrong. `worked` is called after each answer to the held request."""

    client: CommanderClient
    token: Token
    worked: Callable[[], None]


class Connection:
    """Runs its loops, each for ever, while the sentry is enrolled; all of them begin again after trouble."""

    def __init__(
        self,
        uploader: RigUploader,
        open_client: Callable[[Enrolment], AbstractAsyncContextManager[CommanderClient]],
        loops: Sequence[Callable[[Session], Awaitable[None]]],
    ) -> None:
        self._uploader, self._open_client, self._loops = uploader, open_client, loops
        self._changed = asyncio.Event()
        self._failures = 0

    def enrolment_changed(self) -> None:
        """The enrolment may be another one now, or the sentry has introduced itself, or is a copy."""
        self._changed.set()

    async def run(self) -> None:
        """Runs for ever; begins again with each enrolment."""
        while True:
            self._changed.clear()
            enrolment = self._uploader.enrolment
            # The orders for the rig must not reach a copy of it.
            if enrolment is None or enrolment.token is None or not self._uploader.is_introduced:
                await self._changed.wait()
                continue
            async with asyncio.TaskGroup() as group:
                connected = group.create_task(self._stay_connected(enrolment, enrolment.token))
                await self._until_another(enrolment)
                connected.cancel()

    async def _until_another(self, enrolment: Enrolment) -> None:
        key = (enrolment.token, enrolment.url, enrolment.ca_pem)
        while (
            self._uploader.is_introduced
            and (now := self._uploader.enrolment) is not None
            and (now.token, now.url, now.ca_pem) == key
        ):
            await self._changed.wait()
            self._changed.clear()

    async def _stay_connected(self, enrolment: Enrolment, token: Token) -> None:
        self._failures = 0
        while True:
            error = await self._until_trouble(enrolment, token)
            self._failures += 1
            log.debug("connection %s", error)
            await asyncio.sleep(self._pause_s(error))

    def _pause_s(self, error: CommanderError | DiskTrouble) -> float:
        report_every_s = self._uploader.report_every_s
        match error:
            case RigRemoved():
                self._uploader.doubt()
                return report_every_s
            case InvalidToken():
                return _PROBE_INVALID_S
            case Busy(retry_after_s=float(retry_after_s)):
                return retry_after_s
        return backoff_s(self._failures, report_every_s, random.random())  # noqa: S311 - spreads a farm's sentries

    async def _until_trouble(self, enrolment: Enrolment, token: Token) -> CommanderError | DiskTrouble:
        """Returns what went wrong."""
        trouble: list[CommanderError | DiskTrouble] = []
        try:
            async with self._open_client(enrolment) as client, asyncio.TaskGroup() as group:
                session = Session(client, token, self._worked)
                for loop in self._loops:
                    group.create_task(_run(loop, session))
        except* (CommanderError, DiskTrouble) as errors:
            trouble.append(_first(errors))
        return trouble[0]

    def _worked(self) -> None:
        self._failures = 0


async def _run(loop: Callable[[Session], Awaitable[None]], session: Session) -> None:
    await loop(session)


def _first(errors: BaseExceptionGroup[CommanderError | DiskTrouble]) -> CommanderError | DiskTrouble:
    for each in errors.exceptions:
        return _first(each) if isinstance(each, BaseExceptionGroup) else each
    raise AssertionError("a group is never empty")
