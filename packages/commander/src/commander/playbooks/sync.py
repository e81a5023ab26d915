"""Between the database and the sentries: what each is given, what it tells, and who is told of both."""

import asyncio
import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple, TypeVar

import msgspec
from protocol.inbox_messages import InboxItem
from protocol.playbook_messages import OutputReport, Playbooks, PlaybooksStatus

from commander.db import Database
from commander.live.cluster import Cluster, Topic
from commander.live.inbox import Inbox, inbox_item
from commander.live.long_poll import LongPoll
from commander.live.playbooks import TAIL_LINES, PlaybookNow, shortened_tail
from commander.live.rigs import LiveRigs
from commander.playbooks import output, status, store

TAILS_KEPT = 1_000
NOTHING_TOLD = (None, None)
PLAYBOOKS = Topic("playbooks", int)  # the playbooks of a CPU/GPU rig, their status or output
Said = TypeVar("Said")


class Wire(NamedTuple):
    """The answer to `GET /api/v1/sentry/playbooks`, with the ETag that names it."""

    etag: str
    body: bytes


class PlaybookSync:
    """What sentries are given is kept in memory: a thousand of them that ask every minute cost no query."""

    def __init__(
        self,
        database: Database,
        live: LiveRigs,
        long_poll: LongPoll,
        inbox: Inbox,
        cluster: Cluster,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.long_poll = long_poll
        self._inbox = inbox
        self._cluster = cluster
        self._database = database
        self._live = live
        self._now = now
        self._wires: dict[int, Wire] = {}
        self._changes = 0
        self._outputs = 0
        self._tails: dict[int, None] = {}
        self._turn = asyncio.Lock()  # what was told and what is read must not overtake each other

    async def remember(self) -> None:
        """Fill the operational index at the start."""
        async with self._database.reading() as db:
            found, told = await store.all_playbooks(db), await status.statuses(db)
        by_rig: dict[int, list[PlaybookNow]] = {}
        for each in found:
            playbook = PlaybookNow(each.id, each.wire, *told.get(each.id, NOTHING_TOLD))
            by_rig.setdefault(each.rig_id, []).append(playbook)
        had = [state.id for state in self._live.index.rigs.values() if state.playbooks]
        for rig_id in {*had, *by_rig}:
            self._live.index.set_playbooks(rig_id, by_rig.get(rig_id, []))

    async def heard(self, rig_ids: Collection[int] | None) -> None:
        """Another web node has changed something of these rigs; None: something of any, nobody knows of which."""
        if rig_ids is None:
            had = set(self._wires)
            await self.remember()
            rig_ids = had | self._tails.keys()
        for rig_id in rig_ids:
            before = self._wires.get(rig_id)
            self._forget(rig_id)
            await self._reload(rig_id)
            await self._read_output_again(rig_id)
            if before != await self.wire(rig_id):
                self._wake(rig_id)

    async def _read_output_again(self, rig_id: int) -> None:
        if rig_id in self._tails:
            for each in self._playbooks(rig_id):
                each.tail = None
            await self.look_at_output(rig_id)
            self._live.index.touch_page(rig_id)

    async def wire(self, rig_id: int) -> Wire:
        """What the rig's sentry is to run, as of now."""
        while (wire := self._wires.get(rig_id)) is None:
            before = self._changes
            async with self._database.reading() as db:
                found = await store.playbooks_of(db, rig_id)
            if before == self._changes:  # otherwise this may be what it was before the change
                body = msgspec.json.encode(Playbooks(playbooks=[each.wire for each in found]))
                self._wires[rig_id] = Wire(f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"', body)
        return wire

    async def item_for(self, rig_id: int) -> InboxItem:
        """The inbox's source of playbooks."""
        wire = await self.wire(rig_id)
        return inbox_item(Playbooks.INBOX_KIND, wire.etag.strip('"'), wire.body)

    async def changed(self, rig_ids: Iterable[int]) -> None:
        """Playbooks of these rigs have changed, and that is committed: tell their sentries and their pages."""
        for rig_id in rig_ids:
            self._forget(rig_id)
            await self._reload(rig_id)
            self._wake(rig_id)
            self._cluster.publish(PLAYBOOKS, rig_id)

    def gone(self, rig_id: int) -> None:
        """The rig was removed, or its token replaced: whoever waits is to ask again."""
        self._forget(rig_id)
        self._wake(rig_id)
        self._cluster.publish(PLAYBOOKS, rig_id)

    async def take_status(self, rig_id: int, told: PlaybooksStatus) -> None:
        """Committed before it returns; what a sentry says twice is not written twice."""
        now, said = self._now(), {each.playbook_id: each for each in told.playbooks}
        async with self._turn:
            mine = self._playbooks(rig_id)
            news = [(each.id, said.get(str(each.id))) for each in mine if said.get(str(each.id)) != each.status]
            if not news:
                return
            async with self._database.transaction() as db:
                await status.put_statuses(db, rig_id, news, now=now)
            for each, state in _matched(self._playbooks(rig_id), news):
                each.status, each.told_at = state, now if state else None
        self._live.playbooks_changed(rig_id)
        self._cluster.publish(PLAYBOOKS, rig_id)

    async def take_output(self, rig_id: int, report: OutputReport) -> None:
        """Lines are committed before it returns."""
        now, mine = self._now(), {str(each.id): each.id for each in self._playbooks(rig_id)}
        told = [(mine[lines.playbook_id], lines) for lines in report.output if lines.playbook_id in mine]
        if not told:
            return
        async with self._database.transaction() as db:
            kept = {each.id for each in await store.playbooks_of(db, rig_id)}
            fresh = [
                (playbook_id, await output.append_lines(db, playbook_id, lines, now=now))
                for playbook_id, lines in told
                if playbook_id in kept
            ]
        self._outputs += 1
        for each, lines in _matched(self._playbooks(rig_id), fresh):
            each.printed(lines)
        self._live.index.touch_page(rig_id)
        self._cluster.publish(PLAYBOOKS, rig_id)

    async def look_at_output(self, rig_id: int) -> None:
        """Somebody opens a page with the rig's output: from now on its tail is kept in memory."""
        self._tails.pop(rig_id, None)
        self._tails[rig_id] = None
        if len(self._tails) > TAILS_KEPT:
            self._let_go_of(next(iter(self._tails)))
        while missing := [each for each in self._playbooks(rig_id) if each.tail is None]:
            before = self._outputs
            async with self._database.reading() as db:
                tails = {each.id: await output.tail(db, each.id, TAIL_LINES) for each in missing}
            if before == self._outputs:  # otherwise a line may have come that this reading did not see
                for each in missing:
                    each.tail = shortened_tail([line.text for line in tails[each.id]])

    def _let_go_of(self, rig_id: int) -> None:
        del self._tails[rig_id]
        for each in self._playbooks(rig_id):
            each.tail = None

    def _playbooks(self, rig_id: int) -> list[PlaybookNow]:
        state = self._live.index.rigs.get(rig_id)
        return state.playbooks if state else []

    def _wake(self, rig_id: int) -> None:
        """Lets the rig's sentry ask again, of this version or an earlier one."""
        self.long_poll.wake(rig_id)
        self._inbox.wake(rig_id)

    def _forget(self, rig_id: int) -> None:
        self._changes += 1
        self._wires.pop(rig_id, None)

    async def _reload(self, rig_id: int) -> None:
        async with self._turn:
            async with self._database.reading() as db:
                found, told = await store.playbooks_of(db, rig_id), await status.statuses(db, rig_id)
            before = {each.id: each.tail for each in self._playbooks(rig_id)}
            playbooks = [PlaybookNow(each.id, each.wire, *told.get(each.id, NOTHING_TOLD)) for each in found]
            for each in playbooks:
                each.tail = before.get(each.id, "" if rig_id in self._tails else None)
            self._live.index.set_playbooks(rig_id, playbooks)
        self._live.playbooks_changed(rig_id)


def _matched(playbooks: list[PlaybookNow], told: list[tuple[int, Said]]) -> Iterator[tuple[PlaybookNow, Said]]:
    """Each playbook with what was told of it; one that has gone meanwhile is left out."""
    by_id = {each.id: each for each in playbooks}
    return ((by_id[playbook_id], said) for playbook_id, said in told if playbook_id in by_id)
