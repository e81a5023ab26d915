"""What people do with mining software: each is one transaction, and then the rigs that it concerns are told."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import NamedTuple

from commander.db import Database
from commander.playbooks import store as playbooks
from commander.playbooks.changes import rerender
from commander.playbooks.delivery import Delivery
from commander.playbooks.domain import BadPlaybook, InUse, NotConfirmed, Use
from commander.software import store
from commander.software.catalogue import bring_in
from commander.software.checks import checked_software
from commander.software.domain import BadSoftware, Entry, MiningSoftware


class KnownSoftware(NamedTuple):
    entry: Entry
    used_by: list[Use]


class SoftwareShelf:
    def __init__(
        self, database: Database, delivery: Delivery, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._database = database
        self._delivery = delivery
        self._now = now

    async def stock(self) -> None:
        """At the start: what this version of the commander ships."""
        async with self._database.transaction() as db:
            await bring_in(db, await playbooks.software_in_use(db), now=self._now())

    async def all(self) -> list[KnownSoftware]:
        async with self._database.reading() as db:
            found, every = await store.all_software(db), await playbooks.all_playbooks(db)
            uses = {use.playbook_id: use for use in await playbooks.uses(db, every)}
        return [
            KnownSoftware(each, [uses[one.id] for one in every if one.recipe.software_id == each.id]) for each in found
        ]

    async def find(self, software_id: int) -> KnownSoftware:
        """Raises `SoftwareNotFound`."""
        async with self._database.reading() as db:
            found = await store.get_software(db, software_id)
            return KnownSoftware(found, await playbooks.uses(db, await playbooks.using_software(db, software_id)))

    async def add(self, given: MiningSoftware) -> Entry:
        """Raises `BadSoftware` or `SoftwareTaken`."""
        about = checked_software(given)
        async with self._database.transaction() as db:
            return await store.insert_software(db, about, now=self._now())

    async def change(self, software_id: int, given: MiningSoftware, *, author: str, confirmed: bool) -> KnownSoftware:
        """Playbooks that use it are rendered anew; their scripts are their own and stay.

        Raises `NotConfirmed` if miners would restart and nobody has said that this is meant; `BadSoftware`,
        `SoftwareTaken` or `SoftwareNotFound`.
        """
        about = checked_software(given)
        async with self._database.transaction() as db:
            was = await store.get_software(db, software_id)
            using = await playbooks.using_software(db, software_id)
            await store.update_software(db, software_id, about, edited=True, now=self._now())
            try:
                what = f"{about.title} was edited among the mining software"
                changed = await rerender(db, using, author=author, what=what, now=self._now())
            except BadPlaybook as error:
                raise BadSoftware({"": str(error)}) from error
            if changed.restarting and not confirmed:
                raise NotConfirmed(changed.restarting)
            uses = await playbooks.uses(db, using)
        await self._delivery.changed(changed.rig_ids)
        return KnownSoftware(Entry(software_id, was.shipped, about), uses)

    async def remove(self, software_id: int) -> Entry:
        """Raises `InUse` or `SoftwareNotFound`."""
        async with self._database.transaction() as db:
            found = await store.get_software(db, software_id)
            if using := await playbooks.using_software(db, software_id):
                raise InUse(found.about.title, await playbooks.uses(db, using))
            await store.delete_software(db, software_id, now=self._now())
        return found
