"""The actions of people on playbooks. Each is one transaction; then sentries and open pages get the change."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

import msgspec
from protocol.playbook_messages import Platform, Playbook
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.audit.store import record
from commander.db import Database
from commander.playbooks import copying, store
from commander.playbooks.adding import checked_wire, insert
from commander.playbooks.consistency import check_consistency, check_not_duplicate
from commander.playbooks.copying import Copy, PlannedCopy
from commander.playbooks.domain import (
    PlaybookChanged,
    PlaybookSpec,
    Revision,
    StoredPlaybook,
)
from commander.playbooks.render_context import RenderContext, load_render_context
from commander.playbooks.rendering import coin_of, rendered
from commander.playbooks.sync import PlaybookSync
from commander.registry.kinds import RigKind
from commander.registry.store import get_rig

CHANGED_AT_ONCE = 100  # in a transaction: logs must not wait long for their turn to be stored


class PlaybookActions:
    def __init__(
        self,
        database: Database,
        playbook_sync: PlaybookSync,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._sync = playbook_sync
        self._now = now

    async def of_rig(self, rig_id: int) -> list[StoredPlaybook]:
        async with self._database.reading() as db:
            return await store.playbooks_of(db, rig_id)

    async def find(self, playbook_id: int) -> StoredPlaybook:
        """Raises `PlaybookNotFound`."""
        async with self._database.reading() as db:
            return await store.get_playbook(db, playbook_id)

    async def revisions(self, playbook_id: int) -> list[Revision]:
        """Newest first. Raises `PlaybookNotFound`."""
        async with self._database.reading() as db:
            await store.get_playbook(db, playbook_id)
            return await store.all_revisions(db, playbook_id)

    async def platform(self, rig_id: int) -> Platform:
        """Returns the rig's system, which decides the kind of its scripts. Raises `RigNotFound`."""
        async with self._database.reading() as db:
            return await store.platform_of_rig(db, rig_id)

    async def preview(self, rig_id: int, spec: PlaybookSpec) -> Playbook:
        """Returns the playbook that the sentry would get. Raises `BadPlaybook` or `RigNotFound`."""
        async with self._database.reading() as db:
            spec, context = await _settled(db, rig_id, spec)
            preview = rendered(spec, context.input_for(rig_id, spec))
            check_consistency(spec, context.addresses)
            return preview

    async def add(self, rig_id: int, spec: PlaybookSpec, *, author: str, paused: bool = False) -> StoredPlaybook:
        """Raises `BadPlaybook`, `RigNotFound` or `TooManyPlaybooks`."""
        async with self._database.transaction() as db:
            spec, context = await _settled(db, rig_id, spec)
            wire = checked_wire(rig_id, spec, context, await store.playbooks_of(db, rig_id), paused=paused)
            added = await insert(db, rig_id, spec, wire, author=author, what="Added", now=self._now())
        await self._sync.changed([rig_id])
        return added

    async def change(
        self, playbook_id: int, spec: PlaybookSpec, *, author: str, paused: bool | None = None, what: str = "Edited"
    ) -> StoredPlaybook:
        """Replaces the spec. Without a difference there is no new revision.

        Raises `BadPlaybook` or `PlaybookNotFound`.
        """
        async with self._database.transaction() as db:
            was = await store.get_playbook(db, playbook_id)
            spec, context = await _settled(db, was.rig_id, spec)
            changed = await self._write(db, was, spec, context, author=author, what=what, paused=paused)
        if changed != was:
            await self._sync.changed([was.rig_id])
        return changed

    async def pause(self, playbook_id: int, paused: bool, *, author: str) -> StoredPlaybook:
        """Raises `PlaybookNotFound`."""
        async with self._database.transaction() as db:
            was = await store.get_playbook(db, playbook_id)
            if paused == was.wire.paused:
                return was
            changed = await self._write_pause(db, was, paused, author)
        await self._sync.changed([was.rig_id])
        return changed

    async def pause_many(self, playbook_ids: Sequence[int], paused: bool, *, author: str) -> int:
        """Pauses or resumes playbooks of many rigs, some in each transaction; returns how many have changed.

        A playbook that was removed or changed meanwhile is passed over.
        """
        total = 0
        for ids in _in_parts(playbook_ids):
            changed = list[StoredPlaybook]()
            async with self._database.transaction() as db:
                for each in await store.some_playbooks(db, ids):
                    if each.wire.paused is not paused:
                        with suppress(PlaybookChanged):
                            changed.append(await self._write_pause(db, each, paused, author))
            await self._sync.changed({each.rig_id for each in changed})
            total += len(changed)
        return total

    async def _write_pause(self, db: AsyncConnection, was: StoredPlaybook, paused: bool, author: str) -> StoredPlaybook:
        wire = msgspec.structs.replace(was.wire, paused=paused, revision=was.wire.revision + 1)
        what, now = "Paused" if paused else "Resumed", self._now()
        await store.write_revision(db, was.id, was.spec, wire, author=author, what=what, now=now)
        return StoredPlaybook(was.id, was.rig_id, was.position, was.spec, wire, now)

    async def use_again(self, playbook_id: int, revision: int, *, author: str) -> StoredPlaybook:
        """Makes the spec of an earlier revision the newest. Raises `BadPlaybook` or `PlaybookNotFound`."""
        async with self._database.reading() as db:
            earlier = await store.get_revision(db, playbook_id, revision)
        return await self.change(playbook_id, earlier.spec, author=author, what=f"Revision {revision} used again")

    async def order(self, rig_id: int, ids: Iterable[int]) -> None:
        """Puts the rig's playbooks in this order; those that are not named follow in their own."""
        async with self._database.transaction() as db:
            all_ids = [each.id for each in await store.playbooks_of(db, rig_id)]
            first = [each for each in dict.fromkeys(ids) if each in all_ids]
            rig = await get_rig(db, RigKind.CPU_GPU, rig_id)
            await store.set_positions(db, rig_id, [*first, *(each for each in all_ids if each not in first)])
            await record(db, "playbooks reordered", rig.name, at=self._now())
        await self._sync.changed([rig_id])

    async def remove(self, playbook_id: int) -> StoredPlaybook:
        """Raises `PlaybookNotFound`."""
        async with self._database.transaction() as db:
            gone = await store.get_playbook(db, playbook_id)
            await store.delete_playbook(db, gone, now=self._now())
        await self._sync.changed([gone.rig_id])
        return gone

    async def plan_copies(self, playbook_id: int, rig_ids: Iterable[int]) -> list[PlannedCopy]:
        """Returns what a copy would do for each rig; nothing is kept. Raises `PlaybookNotFound`."""
        async with self._database.reading() as db:
            source = await store.get_playbook(db, playbook_id)
            return [each for ids in _in_parts(rig_ids) for each in await copying.plan_copies(db, source, ids)]

    async def copy(self, playbook_id: int, rig_ids: Iterable[int], *, author: str) -> list[Copy]:
        """Copies the playbook to each rig that can take it, some in each transaction; the results of the others have
        the reason. All get it as it is now. Raises `PlaybookNotFound`."""
        source, copies = await self.find(playbook_id), list[Copy]()
        for ids in _in_parts(rig_ids):
            async with self._database.transaction() as db:
                made = await copying.make_copies(db, source, ids, author=author, now=self._now())
            await self._sync.changed([each.rig_id for each in made if each.playbook_id])
            copies += made
        return copies

    async def _write(
        self,
        db: AsyncConnection,
        was: StoredPlaybook,
        spec: PlaybookSpec,
        context: RenderContext,
        *,
        author: str,
        what: str,
        paused: bool | None,
    ) -> StoredPlaybook:
        render_input = context.input_for(was.rig_id, spec)
        stays = was.wire.paused if paused is None else paused
        wire = rendered(spec, render_input, playbook_id=was.id, revision=was.wire.revision, paused=stays)
        if wire == was.wire and spec == was.spec:
            return was
        check_consistency(spec, context.addresses)
        check_not_duplicate(wire, await store.playbooks_of(db, was.rig_id), was=was.wire)
        wire = msgspec.structs.replace(wire, revision=wire.revision + 1)
        await store.write_revision(db, was.id, spec, wire, author=author, what=what, now=self._now())
        return await store.get_playbook(db, was.id)


def _in_parts(ids: Iterable[int]) -> Iterator[list[int]]:
    """Yields each id once, as many at a time as one transaction changes."""
    every = list(dict.fromkeys(ids))
    return (every[start : start + CHANGED_AT_ONCE] for start in range(0, len(every), CHANGED_AT_ONCE))


async def _settled(db: AsyncConnection, rig_id: int, spec: PlaybookSpec) -> tuple[PlaybookSpec, RenderContext]:
    """Returns the spec for this rig's system, with the script and the name that its author left out."""
    platform, context = await store.platform_of_rig(db, rig_id), await load_render_context(db)
    entry = context.software.get(spec.software_id)
    download = entry.about.download(platform) if entry else None
    script = spec.script if spec.script.strip() else download.script if download else ""
    name = spec.name.strip() or _name(spec, context)
    variables = {name: value for name, value in spec.variables.items() if value}
    return replace(spec, platform=platform, script=script, name=name, variables=variables), context


def _name(spec: PlaybookSpec, context: RenderContext) -> str:
    """Returns a name for people, such as "XMRig Monero"."""
    entry = context.software.get(spec.software_id)
    coins = [coin_of(work, context.addresses) or work.algorithm for work in spec.works]
    return (
        " ".join(filter(None, (entry.about.name if entry else "", " + ".join(filter(None, coins)))))[:64] or "Playbook"
    )
