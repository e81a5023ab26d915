"""A web node keeps its operational index in step with the database that others write, too.

It subscribes first and reads then: what is committed before the reading is read, and what is committed later comes as
news. A log of a rig that is not known yet waits until its rig has been read.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg

from commander.db import Database, from_us
from commander.live.cluster import RIGS, RigKey
from commander.live.rigs import LiveRigs
from commander.playbooks.sync import PLAYBOOKS
from commander.problems import DatabaseProblem
from commander.raw_logs.store import NewLog
from commander.registry import store
from commander.registry.approval import all_unapproved
from commander.registry.kinds import RigKind
from commander.rigs.restore import refresh
from commander.scaled.nats_cluster import NatsCluster
from commander.scaled.stream import decode_log, decode_stored
from commander.tags.store import some_tags

log = logging.getLogger(__name__)
AGAIN_AFTER_S = 0.5


async def _ignore(_rig_ids: Collection[int] | None) -> None:
    return None


class Replica:
    """`on_stored` is called with each stored log and the time when it came. `on_playbooks` reads the playbooks of these
    rigs again, or of all.
    """

    def __init__(
        self,
        database: Database,
        cluster: NatsCluster,
        lives: Mapping[RigKind, LiveRigs],
        *,
        on_stored: Callable[[NewLog, datetime], None],
        on_playbooks: Callable[[Collection[int] | None], Awaitable[None]] = _ignore,
    ) -> None:
        self._database = database
        self._lives = lives
        self._on_stored = on_stored
        self._on_playbooks = on_playbooks
        self._stored_subject = cluster.names.stored
        self._playbooks: set[int] = set()
        self._news = asyncio.Event()
        self._changed: set[RigKey] = set()
        self._all = False
        self._early: dict[RigKey, tuple[NewLog, int]] = {}
        cluster.subscribe(RIGS, self.rig_changed)
        cluster.subscribe(PLAYBOOKS, self.playbooks_changed)
        cluster.bus.on_loss(self.everything_changed)
        cluster.bus.attach(self._attached)

    @asynccontextmanager
    async def _attached(self, client: Client) -> AsyncIterator[None]:
        """Reads everything again with each new connection: news may have been missed."""
        await client.subscribe(self._stored_subject, cb=self._receive_stored)
        await client.flush(timeout=2)
        self.everything_changed()
        yield

    async def _receive_stored(self, message: Msg) -> None:
        try:
            for stored in decode_stored(message.data):
                self.stored(decode_log(stored.queued), stored.received_at_us)
        except msgspec.DecodeError as error:
            log.warning("logs of a worker of another version are ignored: %s", error)

    def rig_changed(self, rig: RigKey) -> None:
        self._changed.add(rig)
        self._news.set()

    def playbooks_changed(self, rig_id: int) -> None:
        self._playbooks.add(rig_id)
        self._news.set()

    def everything_changed(self) -> None:
        """Something was missed: read it all again."""
        self._all = True
        self._news.set()

    def stored(self, new: NewLog, received_at_us: int) -> None:
        """A log is in the database, whichever node took it."""
        if new.rig_id not in self._lives[new.kind].index.rigs:
            rig = RigKey(new.kind, new.rig_id)
            self._early[rig] = new, received_at_us
            self.rig_changed(rig)
            return
        self._on_stored(new, from_us(received_at_us))

    async def run(self) -> None:
        """Runs until it is cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            everything, self._all = self._all, False
            changed, self._changed = self._changed, set()
            playbooks, self._playbooks = self._playbooks, set()
            try:
                await self._read(changed, everything=everything)
                if everything or playbooks:
                    await self._on_playbooks(None if everything else playbooks)
            except DatabaseProblem as error:
                log.warning("changes can't be read now: %s", error)
                self._all, self._changed = everything or self._all, changed | self._changed
                self._playbooks |= playbooks
                self._news.set()
                await asyncio.sleep(AGAIN_AFTER_S)

    async def _read(self, changed: set[RigKey], *, everything: bool) -> None:
        for kind, live in self._lives.items():
            ids = {rig.rig_id for rig in changed if rig.kind is kind}
            if everything:
                await self._read_all(live, kind)
            if ids:
                await self._read_some(live, kind, ids)
        for rig in changed:
            if early := self._early.pop(rig, None):
                new, received_at_us = early
                if new.rig_id in self._lives[new.kind].index.rigs:  # else it was removed meanwhile
                    self.stored(new, received_at_us)

    async def _read_all(self, live: LiveRigs, kind: RigKind) -> None:
        before = set(live.index.rigs)
        gone = before - await refresh(self._database, kind, live, now=datetime.now(UTC), now_s=time.monotonic())
        for rig_id in gone:
            live.gone(rig_id)

    async def _read_some(self, live: LiveRigs, kind: RigKind, ids: Collection[int]) -> None:
        async with self._database.reading() as db:
            rigs, tags = await store.some_rigs(db, kind, ids), await some_tags(db, kind, ids)
            unapproved = await all_unapproved(db, kind)
        for rig in rigs:
            live.follow(
                rig.id,
                rig.name,
                rig.specs,
                added_at=rig.created_at,
                tags=tags.get(rig.id, ()),
                approved=rig.id not in unapproved,
            )
        for rig_id in set(ids) - {rig.id for rig in rigs}:
            live.gone(rig_id)
