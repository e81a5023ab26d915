"""Renders playbooks again when their rig, their addresses or their mining software change."""

from collections.abc import Awaitable, Callable, Collection
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from commander.addresses.domain import BadAddress
from commander.dependents import ChangedPlaybooks, Use
from commander.playbooks import store
from commander.playbooks.domain import BadPlaybook, StoredPlaybook
from commander.playbooks.render_context import rerender
from commander.playbooks.sync import PlaybookSync
from commander.registry.names import BadName
from commander.software.domain import BadSoftware


class RigPlaybooks:
    """The playbooks of rigs, for changes of rigs.

    `rename` and `remove` belong to the transaction of the rig's change; `notify` and `rig_gone` come after it.
    """

    def __init__(self, playbook_sync: PlaybookSync, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._sync = playbook_sync
        self._now = now

    async def rename(self, db: AsyncConnection, rig_id: int, author: str) -> ChangedPlaybooks:
        """Raises `BadName` if a script can't take the new one."""
        playbooks = await store.playbooks_of(db, rig_id)
        try:
            return await rerender(db, playbooks, author=author, what="The rig was renamed", now=self._now())
        except BadPlaybook as error:
            raise BadName(str(error)) from error

    async def remove(self, db: AsyncConnection, rig_id: int) -> None:
        """Deletes the playbooks with their revisions, status and output."""
        await store.delete_playbooks_of(db, rig_id)

    async def notify(self, changed: ChangedPlaybooks) -> None:
        await self._sync.changed(changed.rig_ids)

    def rig_gone(self, rig_id: int) -> None:
        """The rig was removed, or its token replaced."""
        self._sync.rig_gone(rig_id)


class DependentPlaybooks:
    """The playbooks that use one kind of thing, as a `Dependents`.

    `named_in` returns the things that a playbook names, `using` reads the playbooks that name one, and `refuse` makes
    the error for a change that a playbook can't take.
    """

    def __init__(
        self,
        playbook_sync: PlaybookSync,
        *,
        named_in: Callable[[StoredPlaybook], Collection[int | None]],
        using: Callable[[AsyncConnection, int], Awaitable[list[StoredPlaybook]]],
        refuse: Callable[[str], Exception],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._sync = playbook_sync
        self._named_in = named_in
        self._using = using
        self._refuse = refuse
        self._now = now

    async def all(self, db: AsyncConnection) -> dict[int, list[Use]]:
        every = await store.all_playbooks(db)
        uses_of: dict[int, list[Use]] = {}
        for playbook, use in zip(every, await store.uses(db, every), strict=True):
            for used_id in {each for each in self._named_in(playbook) if each is not None}:
                uses_of.setdefault(used_id, []).append(use)
        return uses_of

    async def of(self, db: AsyncConnection, used_id: int) -> list[Use]:
        return await store.uses(db, await self._using(db, used_id))

    async def rerender(self, db: AsyncConnection, used_id: int, *, author: str, what: str) -> ChangedPlaybooks:
        playbooks = await self._using(db, used_id)
        try:
            return await rerender(db, playbooks, author=author, what=what, now=self._now())
        except BadPlaybook as error:
            raise self._refuse(str(error)) from error

    async def notify(self, changed: ChangedPlaybooks) -> None:
        await self._sync.changed(changed.rig_ids)


def playbooks_by_address(playbook_sync: PlaybookSync) -> DependentPlaybooks:
    """The playbooks that use a pool or a wallet."""
    return DependentPlaybooks(
        playbook_sync,
        named_in=lambda playbook: [each for work in playbook.spec.works for each in (work.pool_id, work.wallet_id)],
        using=store.using_address,
        refuse=lambda text: BadAddress("address", text),
    )


def playbooks_by_software(playbook_sync: PlaybookSync) -> DependentPlaybooks:
    """The playbooks that use a mining software."""
    return DependentPlaybooks(
        playbook_sync,
        named_in=lambda playbook: [playbook.spec.software_id],
        using=store.using_software,
        refuse=lambda text: BadSoftware({"": text}),
    )
