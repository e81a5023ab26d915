"""Sends the commander the states of commands and the acts of the ladder, until it has confirmed them."""

import asyncio
import contextlib
import logging
import sqlite3
from collections.abc import Callable
from functools import partial

import msgspec
from msgspec.structs import replace
from protocol.command_messages import CommandsStatus, LadderEvents
from sentry_kit.client import CommanderClient, NotFound, Refused, TooLarge

from cpu_gpu_sentry.commands import store as command_store
from cpu_gpu_sentry.connection import Session
from cpu_gpu_sentry.ladder import store as ladder_store
from cpu_gpu_sentry.ladder.sources import Boot
from cpu_gpu_sentry.playbooks.supervisor import OnDisk

log = logging.getLogger(__name__)

_LOOK_EVERY_S = 60.0


class OperationsSync:
    """Everything is sent from the store, so what a restart cuts off is sent again. The commander knows it by its id."""

    def __init__(
        self, db: sqlite3.Connection, on_disk: OnDisk, *, boot: Callable[[], Boot], now_s: Callable[[], float]
    ) -> None:
        self._db, self._on_disk, self._boot, self._now_s = db, on_disk, boot, now_s
        self._news = asyncio.Event()

    def changed(self) -> None:
        """There may be something new to send."""
        self._news.set()

    async def send_for_ever(self, session: Session) -> None:
        """Leaves out what the commander is too old for; a newer one begins another session."""
        senders = [self._send_commands, self._send_events]
        while senders:
            self._news.clear()
            for send in list(senders):
                try:
                    await send(session.client)
                except NotFound:
                    senders.remove(send)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_EVERY_S):
                    await self._news.wait()

    async def _send_commands(self, client: CommanderClient) -> None:
        """Sends a refused report in parts, then without its results, so that the commander learns each state."""
        most = command_store.AT_ONCE
        while unsent := await self._on_disk(partial(command_store.unsent, self._db, most)):
            status = CommandsStatus(boot_id=self._boot().id, commands=unsent)
            try:
                await client.send_commands_status(msgspec.json.encode(status))
            except (Refused, TooLarge) as error:
                log.warning("command_status_refused %s", error)
                most = max(1, len(unsent) // 2)
                if len(unsent) > 1:
                    continue
                if unsent[0].findings or unsent[0].logs:
                    await self._on_disk(partial(command_store.drop_results, self._db, unsent[0]))
                    continue
            await self._on_disk(partial(command_store.confirm, self._db, unsent))

    async def _send_events(self, client: CommanderClient) -> None:
        while unsent := await self._on_disk(lambda: ladder_store.unsent_events(self._db)):
            now_s = self._now_s()
            events = [replace(each.event, age_s=max(0.0, now_s - each.at_s)) for each in unsent]
            try:
                await client.send_ladder_events(msgspec.json.encode(LadderEvents(events=events)))
            except (Refused, TooLarge) as error:
                log.warning("ladder_events_refused %s", error)
            await self._on_disk(partial(ladder_store.confirm_events, self._db, [each.id for each in events]))
