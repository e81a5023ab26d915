"""Keeps the database, the sentries and the open pages in step: playbooks go to sentries, their status and output come
back."""

import asyncio
import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
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
from commander.playbooks import output, refusals, status, store
from commander.playbooks.domain import StoredPlaybook

TAILS_KEPT = 1_000
NO_STATUS = (None, None)
PLAYBOOKS = Topic("playbooks", int)  # the playbooks of a CPU/GPU rig, their status or output
Value = TypeVar("Value")


class Wire(NamedTuple):
    """The answer to `GET /api/v1/sentry/playbooks`, with the ETag that names it."""

    etag: str
    body: bytes


def _wire_of(playbooks: Playbooks) -> Wire:
    body = msgspec.json.encode(playbooks)
    return Wire(f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"', body)


_NOTHING = _wire_of(Playbooks(playbooks=[]))


class PlaybookSync:
    """The playbooks of all rigs. Those that sentries get are in memory, so a thousand sentries cost no query."""

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
        self._turn = asyncio.Lock()  # a status and a reading must not overtake each other

    async def remember(self) -> None:
        """Fills the operational index at the start."""
        async with self._database.reading() as db:
            playbooks, known = await store.all_playbooks(db), await status.statuses(db)
            refused = await refusals.all_refusals(db)
        by_rig: dict[int, list[PlaybookNow]] = {}
        for each in playbooks:
            playbook = _now_of(each, known)
            by_rig.setdefault(each.rig_id, []).append(playbook)
        had = [state.id for state in self._live.index.rigs.values() if state.playbooks]
        for rig_id in {*had, *by_rig}:
            self._live.index.set_playbooks(rig_id, by_rig.get(rig_id, []))
        for rig_id in self._live.index.rigs:
            self._live.index.set_refusal(rig_id, refused.get(rig_id, ""))

    async def read_again(self, rig_ids: Collection[int] | None) -> None:
        """Reads the playbooks of these rigs again, which another web node has changed. None: of all rigs."""
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
        """Returns the playbooks that the rig's sentry is to run, as of now. None before the rig is approved."""
        if not self._live.is_approved(rig_id):
            return _NOTHING
        while (wire := self._wires.get(rig_id)) is None:
            before = self._changes
            async with self._database.reading() as db:
                stored = await store.playbooks_of(db, rig_id)
            if before == self._changes:  # otherwise this may be what it was before the change
                self._wires[rig_id] = _wire_of(Playbooks(playbooks=[each.wire for each in stored]))
        return wire

    async def earlier_sentry_asks(self, rig_id: int) -> None:
        """The rig's sentry is of a version without an inbox."""
        await self._inbox.earlier_sentry_asks(rig_id)

    async def item_for(self, rig_id: int) -> InboxItem:
        """The inbox's source of playbooks."""
        wire = await self.wire(rig_id)
        return inbox_item(Playbooks.INBOX_KIND, wire.etag.strip('"'), wire.body)

    async def changed(self, rig_ids: Iterable[int]) -> None:
        """Brings committed changes of these rigs' playbooks to their sentries, to open pages and to other web nodes."""
        for rig_id in rig_ids:
            self._forget(rig_id)
            await self._reload(rig_id)
            self._wake(rig_id)
            self._cluster.publish(PLAYBOOKS, rig_id)

    def rig_gone(self, rig_id: int) -> None:
        """Ends the wait of a rig's sentry: the rig was removed, or its token replaced."""
        self._forget(rig_id)
        self._wake(rig_id)
        self._cluster.publish(PLAYBOOKS, rig_id)

    def rig_approved(self, rig_id: int) -> None:
        """Lets the rig's sentry have its playbooks now. Called at each web node."""
        self._wake(rig_id)

    async def take_status(self, rig_id: int, report: PlaybooksStatus) -> None:
        """Stores the status of a rig's playbooks and commits it. A status that has not changed is not written again."""
        now, states = self._now(), {each.playbook_id: each for each in report.playbooks}
        async with self._turn:
            mine = self._playbooks(rig_id)
            news = [(each.id, states.get(str(each.id))) for each in mine if states.get(str(each.id)) != each.status]
            refused = report.refused or ""
            if not news and refused == self._refusal(rig_id):
                return
            async with self._database.transaction() as db:
                await status.put_statuses(db, rig_id, news, now=now)
                await refusals.put_refusal(db, rig_id, refused)
            self._live.index.set_refusal(rig_id, refused)
            for each, state in _matched(self._playbooks(rig_id), news):
                each.status, each.reported_at = state, now if state else None
        self._live.playbooks_changed(rig_id)
        self._cluster.publish(PLAYBOOKS, rig_id)

    async def take_output(self, rig_id: int, report: OutputReport) -> None:
        """Stores new lines and commits them."""
        now, mine = self._now(), {str(each.id): each.id for each in self._playbooks(rig_id)}
        printed = [(mine[lines.playbook_id], lines) for lines in report.output if lines.playbook_id in mine]
        if not printed:
            return
        async with self._database.transaction() as db:
            kept = {each.id for each in await store.playbooks_of(db, rig_id)}
            fresh = [
                (playbook_id, await output.append_lines(db, playbook_id, lines, now=now))
                for playbook_id, lines in printed
                if playbook_id in kept
            ]
        self._outputs += 1
        for each, lines in _matched(self._playbooks(rig_id), fresh):
            each.printed(lines)
        self._live.index.touch_page(rig_id)
        self._cluster.publish(PLAYBOOKS, rig_id)

    async def look_at_output(self, rig_id: int) -> None:
        """Keeps the newest lines of the rig in memory from now on, because a page shows them."""
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

    def _refusal(self, rig_id: int) -> str:
        state = self._live.index.rigs.get(rig_id)
        return state.playbooks_refused if state else ""

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
                stored, known = await store.playbooks_of(db, rig_id), await status.statuses(db, rig_id)
                refused = await refusals.refusal_of(db, rig_id)
            before = {each.id: each.tail for each in self._playbooks(rig_id)}
            playbooks = [_now_of(each, known) for each in stored]
            for each in playbooks:
                each.tail = before.get(each.id, "" if rig_id in self._tails else None)
            self._live.index.set_playbooks(rig_id, playbooks)
            self._live.index.set_refusal(rig_id, refused)
        self._live.playbooks_changed(rig_id)


def _now_of(stored: StoredPlaybook, known: Mapping[int, status.TimedStatus]) -> PlaybookNow:
    playbook = PlaybookNow(stored.id, stored.wire, *known.get(stored.id, NO_STATUS))
    playbook.changed_at = stored.changed_at
    return playbook


def _matched(playbooks: list[PlaybookNow], values: list[tuple[int, Value]]) -> Iterator[tuple[PlaybookNow, Value]]:
    """Yields each playbook with its value; a playbook that is gone is left out."""
    by_id = {each.id: each for each in playbooks}
    return ((by_id[playbook_id], value) for playbook_id, value in values if playbook_id in by_id)
