"""Actions on mining software. Each is one transaction; then the rigs concerned are notified."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

from commander.audit.store import record
from commander.db import Database
from commander.dependents import Dependents, InUse, Use, must_be_meant
from commander.software import store
from commander.software.catalogue import bring_in
from commander.software.checks import checked_software
from commander.software.domain import CatalogueEntry, MiningSoftware


class SoftwareWithUses(NamedTuple):
    entry: CatalogueEntry
    used_by: list[Use]


class SoftwareActions:
    def __init__(
        self, database: Database, playbooks: Dependents, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._database = database
        self._playbooks = playbooks
        self._now = now

    async def stock(self) -> None:
        """Stores the software that this version of the commander ships. Called at the start."""
        async with self._database.transaction() as db:
            await bring_in(db, set(await self._playbooks.all(db)), now=self._now())

    async def all(self) -> list[SoftwareWithUses]:
        async with self._database.reading() as db:
            entries, uses = await store.all_software(db), await self._playbooks.all(db)
        return [SoftwareWithUses(each, uses.get(each.id, [])) for each in entries]

    async def find(self, software_id: int) -> SoftwareWithUses:
        """Raises `SoftwareNotFound`."""
        async with self._database.reading() as db:
            entry = await store.get_software(db, software_id)
            return SoftwareWithUses(entry, await self._playbooks.of(db, software_id))

    async def add(self, software: MiningSoftware) -> CatalogueEntry:
        """Raises `BadSoftware` or `SoftwareTaken`."""
        about = checked_software(software)
        async with self._database.transaction() as db:
            added = await store.insert_software(db, about, now=self._now())
            await record(db, "mining software added", about.title, at=self._now())
        return added

    async def change(
        self, software_id: int, software: MiningSoftware, *, author: str, confirmed: bool
    ) -> SoftwareWithUses:
        """Stores the change, and renders the playbooks that use the software; their own scripts stay.

        Raises `NotConfirmed` if miners would restart and the form does not confirm it; `BadSoftware`,
        `SoftwareTaken` or `SoftwareNotFound`.
        """
        about = checked_software(software)
        async with self._database.transaction() as db:
            was = await store.get_software(db, software_id)
            await store.update_software(db, software_id, about, edited=True, now=self._now())
            await record(db, "mining software changed", about.title, at=self._now())
            what = f"{about.title} was edited among the mining software"
            changed = await self._playbooks.rerender(db, software_id, author=author, what=what)
            must_be_meant(changed, confirmed=confirmed)
            uses = await self._playbooks.of(db, software_id)
        await self._playbooks.notify(changed)
        return SoftwareWithUses(CatalogueEntry(software_id, was.shipped, about), uses)

    async def remove(self, software_id: int) -> CatalogueEntry:
        """Raises `InUse` or `SoftwareNotFound`."""
        async with self._database.transaction() as db:
            entry = await store.get_software(db, software_id)
            if uses := await self._playbooks.of(db, software_id):
                raise InUse(entry.about.title, uses)
            await store.delete_software(db, software_id, now=self._now())
            await record(db, "mining software removed", entry.about.title, at=self._now())
        return entry
