"""The other web nodes by way of NATS: nodes publish changes, workers publish stored logs, and every node hears both.

Own changes are heard, too: only what is read after the last change is heard is sure to be the last word.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from commander.live.cluster import Change, PlaybooksChanged, RigChanged, RunSeen, SessionEnded, TokenDied
from commander.scaled.nats_bus import Bus
from commander.scaled.replica import Replica
from commander.scaled.stream import StreamNames, decode_log, decode_stored

log = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(Change)


class NatsCluster:
    """An `OtherNodes`. With each new connection everything is read anew: nobody knows what was missed."""

    def __init__(
        self,
        bus: Bus,
        names: StreamNames,
        replica: Replica,
        *,
        on_session_end: Callable[[str], None],
        on_run: Callable[[RunSeen], None],
        on_token_death: Callable[[bytes], None],
    ) -> None:
        self._names = names
        self._replica = replica
        self._on_session_end = on_session_end
        self._on_run = on_run
        self._on_token_death = on_token_death
        self._to_tell: dict[Change, None] = {}
        self._news = asyncio.Event()
        bus.attach(self._attached)

    def tell(self, change: Change) -> None:
        self._to_tell.pop(change, None)
        self._to_tell[change] = None
        self._news.set()

    @asynccontextmanager
    async def _attached(self, client: Client) -> AsyncIterator[None]:
        await client.subscribe(self._names.changes, cb=self._hear_change)
        await client.subscribe(self._names.stored, cb=self._hear_stored)
        await client.flush(timeout=2)
        self._replica.everything_changed()
        async with asyncio.TaskGroup() as group:
            telling = group.create_task(self._tell_on(client))
            try:
                yield
            finally:
                telling.cancel()

    async def _tell_on(self, client: Client) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            while self._to_tell:
                change = next(iter(self._to_tell))
                del self._to_tell[change]
                try:
                    await client.publish(self._names.changes, _encode(change))
                except (NatsError, OSError) as error:  # the next connection tells it
                    log.debug("a change could not be told: %s", error)
                    self.tell(change)
                    return

    async def _hear_change(self, message: Msg) -> None:
        try:
            change = _decoder.decode(message.data)
        except msgspec.DecodeError as error:
            log.warning("another node tells what this version does not know: %s", error)
            return
        match change:
            case RigChanged():
                self._replica.rig_changed(change)
            case RunSeen():
                self._on_run(change)
            case TokenDied():
                self._on_token_death(change.token_hash)
            case SessionEnded():
                self._on_session_end(change.session)
            case PlaybooksChanged():
                self._replica.playbooks_changed(change.rig_id)

    async def _hear_stored(self, message: Msg) -> None:
        try:
            for stored in decode_stored(message.data):
                self._replica.stored(decode_log(stored.queued), stored.received_at_us)
        except msgspec.DecodeError as error:
            log.warning("a worker tells what this version does not know: %s", error)
