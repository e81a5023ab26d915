"""Actions on rigs of one kind. Each is one transaction; then open pages are notified."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime

from protocol.tokens import Token, new_token
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.audit.store import record
from commander.db import Database
from commander.dependents import ChangedPlaybooks
from commander.history import events
from commander.history import store as history
from commander.history.events import NewEvent, RigEvent
from commander.live.rigs import LiveRigs
from commander.playbooks.dependents import RigPlaybooks
from commander.playbooks.render_context import NOTHING_CHANGED
from commander.raw_logs import store as logs
from commander.registry import store
from commander.registry.kinds import TOKEN_KINDS, RigKind
from commander.registry.names import Rig, checked_name
from commander.registry.tokens import Tokens
from commander.tags.actions import set_tags
from commander.tags.domain import Tags

REMOVED_AT_ONCE = 50
ForgetMachines = Callable[[AsyncConnection, int], Awaitable[None]]
TITLES = {RigKind.CPU_GPU: "rig", RigKind.ASIC: "ASIC"}


class RigActions:
    """The rigs of the kind that `live` shows.

    `pin` is the fingerprint of the commander's own CA that goes into tokens, if it has one. `playbooks` follow
    changes of rigs that can have playbooks. `forget_machines` is called in the transaction of a new token, for rigs
    that can be bound to a machine.
    """

    def __init__(
        self,
        database: Database,
        live: LiveRigs,
        tokens: Tokens,
        *,
        pin: str | None,
        playbooks: RigPlaybooks | None = None,
        forget_machines: ForgetMachines | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._live = live
        self._kind = live.kind
        self._tokens = tokens
        self._pin = pin
        self._playbooks = playbooks
        self._forget_machines = forget_machines
        self._now = now

    async def add(self, name: str) -> tuple[Rig, Token]:
        """The new rig and its token, which can't be read again. Raises `BadName` or `NameTaken`."""
        token = self._new_token()
        async with self._database.transaction() as db:
            rig = await store.insert_rig(db, self._kind, checked_name(name), token.hash(), now=self._now())
            await record(db, f"{TITLES[self._kind]} added", rig.name, at=rig.created_at)
        self._live.added(rig.id, rig.name, rig.created_at)
        return rig, token

    async def rename(self, rig_id: int, name: str, *, author: str = "") -> None:
        """Its playbooks are rendered with the new name. Raises `BadName`, `NameTaken` or `RigNotFound`."""
        await self.update(rig_id, name=name, author=author)

    async def update(self, rig_id: int, *, name: str | None = None, tags: Tags | None = None, author: str = "") -> None:
        """Renames the rig and replaces its tags, either or both. Raises `BadName`, `NameTaken` or `RigNotFound`."""
        changed = NOTHING_CHANGED
        async with self._database.transaction() as db:
            if name is not None:
                changed = await self._rename(db, rig_id, checked_name(name), author)
            if tags is not None:
                tags = await set_tags(db, self._kind, rig_id, tags)
        if name is not None:
            self._live.renamed(rig_id, checked_name(name))
        if tags is not None:
            self._live.tags_changed(rig_id, tags)
        if self._playbooks and name is not None:
            await self._playbooks.notify(changed)

    async def _rename(self, db: AsyncConnection, rig_id: int, name: str, author: str) -> ChangedPlaybooks:
        before = await store.get_rig(db, self._kind, rig_id)
        await store.rename_rig(db, self._kind, rig_id, name)
        if name != before.name:
            text = f"Renamed from {before.name} to {name}"
            await events.note(db, NewEvent(self._kind, rig_id, self._now(), RigEvent.RENAMED, text))
            await record(db, f"{TITLES[self._kind]} renamed", name, text, at=self._now())
        return await self._playbooks.rename(db, rig_id, author) if self._playbooks else NOTHING_CHANGED

    async def remove(self, rig_id: int) -> Rig:
        """Delete the rig and all that belongs to it. Raises `RigNotFound`."""
        async with self._database.transaction() as db:
            rig, token_hash = await self._remove(db, rig_id)
        self._removed(rig_id, token_hash)
        return rig

    async def remove_many(self, rig_ids: Sequence[int]) -> int:
        """Deletes these rigs, some in each transaction, so that reports hardly wait. Returns how many there were."""
        count = 0
        for start in range(0, len(rig_ids), REMOVED_AT_ONCE):
            async with self._database.transaction() as db:
                there = await store.some_rigs(db, self._kind, rig_ids[start : start + REMOVED_AT_ONCE])
                hashes = {rig.id: (await self._remove(db, rig.id))[1] for rig in there}
            for rig_id, token_hash in hashes.items():
                self._removed(rig_id, token_hash)
            count += len(hashes)
        return count

    async def _remove(self, db: AsyncConnection, rig_id: int) -> tuple[Rig, bytes]:
        """Returns the rig that was there and its token's hash."""
        rig = await store.get_rig(db, self._kind, rig_id)
        if self._playbooks:
            await self._playbooks.remove(db, rig_id)
        token_hash = await store.delete_rig(db, self._kind, rig_id)
        await store.bury_token(db, token_hash, now=self._now())
        await logs.delete_rig_logs(db, self._kind, rig_id)
        await history.forget_rig(db, self._kind, rig_id)
        await record(db, f"{TITLES[self._kind]} removed", rig.name, "With all its data.", at=self._now())
        return rig, token_hash

    def _removed(self, rig_id: int, token_hash: bytes) -> None:
        self._tokens.forget(token_hash)
        self._live.removed(rig_id)
        if self._playbooks:
            self._playbooks.rig_gone(rig_id)

    async def new_token(self, rig_id: int) -> Token:
        """Replaces the token; the old one stops working immediately. The rig may then be another machine.

        Raises `RigNotFound`.
        """
        token = self._new_token()
        async with self._database.transaction() as db:
            rig = await store.get_rig(db, self._kind, rig_id)
            old_hash = await store.replace_token(db, self._kind, rig_id, token.hash())
            if self._forget_machines:
                await self._forget_machines(db, rig_id)
            await record(db, "token replaced", rig.name, at=self._now())
        self._tokens.forget(old_hash)
        self._live.index.replace_token(rig_id)
        if self._playbooks:
            self._playbooks.rig_gone(rig_id)
        return token

    async def set_specs(self, specs: Mapping[int, bytes]) -> None:
        """Stores the specs of rigs: JSON by the rig's id. A rig that was removed is passed over."""
        async with self._database.transaction() as db:
            await store.set_specs(db, self._kind, specs)
        for rig_id, text in specs.items():
            self._live.specs_changed(rig_id, text)

    def _new_token(self) -> Token:
        return new_token(TOKEN_KINDS[self._kind], pin=self._pin)
