"""What people do with playbooks: each is one transaction, and then the sentries and everybody who looks are told."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec
from protocol.playbook_messages import Platform, Playbook
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.db import Database
from commander.playbooks import store
from commander.playbooks.consistency import check_new, check_sense
from commander.playbooks.domain import (
    PLAYBOOKS_A_RIG,
    BadPlaybook,
    Recipe,
    Revision,
    StoredPlaybook,
    TooManyPlaybooks,
)
from commander.playbooks.render_context import Pantry, open_pantry
from commander.playbooks.rendering import coin_of, rendered
from commander.playbooks.sync import Delivery
from commander.registry.names import RigNotFound

SYSTEMS = {Platform.LINUX: "Linux", Platform.WINDOWS: "Windows"}


class Copy(NamedTuple):
    """What became of a copy for one rig: its playbook, or why there is none."""

    rig_id: int
    rig: str
    playbook_id: int | None
    reason: str = ""


class PlaybookDesk:
    def __init__(
        self, database: Database, delivery: Delivery, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._database = database
        self._delivery = delivery
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
        """Which scripts the rig runs. Raises `RigNotFound`."""
        async with self._database.reading() as db:
            return await store.platform_of_rig(db, rig_id)

    async def preview(self, rig_id: int, recipe: Recipe) -> Playbook:
        """What the sentry would be given. Raises `BadPlaybook` or `RigNotFound`."""
        async with self._database.reading() as db:
            recipe, pantry = await _settled(db, rig_id, recipe)
            preview = rendered(recipe, pantry.for_recipe(rig_id, recipe))
            check_sense(recipe, pantry.addresses)
            return preview

    async def add(self, rig_id: int, recipe: Recipe, *, author: str, paused: bool = False) -> StoredPlaybook:
        """Raises `BadPlaybook`, `RigNotFound` or `TooManyPlaybooks`."""
        async with self._database.transaction() as db:
            recipe, pantry = await _settled(db, rig_id, recipe)
            added = await self._insert(db, rig_id, recipe, pantry, author=author, what="Added", paused=paused)
        await self._delivery.changed([rig_id])
        return added

    async def change(
        self, playbook_id: int, recipe: Recipe, *, author: str, paused: bool | None = None, what: str = "Edited"
    ) -> StoredPlaybook:
        """Make it what `recipe` says; what is the same as before gets no new revision.

        Raises `BadPlaybook` or `PlaybookNotFound`.
        """
        async with self._database.transaction() as db:
            was = await store.get_playbook(db, playbook_id)
            recipe, pantry = await _settled(db, was.rig_id, recipe)
            changed = await self._write(db, was, recipe, pantry, author=author, what=what, paused=paused)
        if changed != was:
            await self._delivery.changed([was.rig_id])
        return changed

    async def pause(self, playbook_id: int, paused: bool, *, author: str) -> StoredPlaybook:
        """Raises `PlaybookNotFound`."""
        async with self._database.transaction() as db:
            was = await store.get_playbook(db, playbook_id)
            wire = msgspec.structs.replace(was.wire, paused=paused, revision=was.wire.revision + 1)
            if paused == was.wire.paused:
                return was
            what = "Paused" if paused else "Resumed"
            now = self._now()
            await store.write_revision(db, playbook_id, was.recipe, wire, author=author, what=what, now=now)
        await self._delivery.changed([was.rig_id])
        return StoredPlaybook(was.id, was.rig_id, was.position, was.recipe, wire, now)

    async def use_again(self, playbook_id: int, revision: int, *, author: str) -> StoredPlaybook:
        """Make an earlier revision's recipe the newest. Raises `BadPlaybook` or `PlaybookNotFound`."""
        async with self._database.reading() as db:
            earlier = await store.get_revision(db, playbook_id, revision)
        return await self.change(playbook_id, earlier.recipe, author=author, what=f"Revision {revision} used again")

    async def order(self, rig_id: int, ids: Iterable[int]) -> None:
        """Put the rig's playbooks in this order; those that are not named keep theirs, behind."""
        async with self._database.transaction() as db:
            known = [each.id for each in await store.playbooks_of(db, rig_id)]
            first = [each for each in dict.fromkeys(ids) if each in known]
            await store.set_positions(db, rig_id, [*first, *(each for each in known if each not in first)])
        await self._delivery.changed([rig_id])

    async def remove(self, playbook_id: int) -> StoredPlaybook:
        """Raises `PlaybookNotFound`."""
        async with self._database.transaction() as db:
            gone = await store.get_playbook(db, playbook_id)
            await store.delete_playbook(db, gone, now=self._now())
        await self._delivery.changed([gone.rig_id])
        return gone

    async def copy(self, playbook_id: int, rig_ids: Iterable[int], *, author: str) -> list[Copy]:
        """One for each rig that can take it; the others say why not. Raises `PlaybookNotFound`."""
        copies: list[Copy] = []
        async with self._database.transaction() as db:
            source, pantry = await store.get_playbook(db, playbook_id), await open_pantry(db)
            what = f"Copied from {source.recipe.name} on {pantry.rigs.get(source.rig_id, '')}"
            for rig_id in dict.fromkeys(rig_ids):
                rig = pantry.rigs.get(rig_id, f"rig {rig_id}")
                try:
                    recipe = _for_platform(source.recipe, await store.platform_of_rig(db, rig_id), pantry)
                    made = await self._insert(
                        db, rig_id, recipe, pantry, author=author, what=what, paused=source.wire.paused
                    )
                    copies.append(Copy(rig_id, rig, made.id))
                except (BadPlaybook, TooManyPlaybooks, RigNotFound) as error:
                    copies.append(Copy(rig_id, rig, None, str(error)))
        await self._delivery.changed([each.rig_id for each in copies if each.playbook_id])
        return copies

    async def _insert(
        self,
        db: AsyncConnection,
        rig_id: int,
        recipe: Recipe,
        pantry: Pantry,
        *,
        author: str,
        what: str,
        paused: bool,
    ) -> StoredPlaybook:
        others = await store.playbooks_of(db, rig_id)
        if len(others) >= PLAYBOOKS_A_RIG:
            raise TooManyPlaybooks(f"A rig has {PLAYBOOKS_A_RIG} playbooks at most; remove one first.")
        wire = rendered(recipe, pantry.for_recipe(rig_id, recipe), revision=1, paused=paused)
        check_sense(recipe, pantry.addresses)
        check_new(wire, others)
        playbook_id, now = await store.insert_playbook(db, rig_id, recipe, now=self._now()), self._now()
        wire = msgspec.structs.replace(wire, id=str(playbook_id))
        await store.write_revision(db, playbook_id, recipe, wire, author=author, what=what, now=now)
        return await store.get_playbook(db, playbook_id)

    async def _write(
        self,
        db: AsyncConnection,
        was: StoredPlaybook,
        recipe: Recipe,
        pantry: Pantry,
        *,
        author: str,
        what: str,
        paused: bool | None,
    ) -> StoredPlaybook:
        ingredients = pantry.for_recipe(was.rig_id, recipe)
        stays = was.wire.paused if paused is None else paused
        wire = rendered(recipe, ingredients, playbook_id=was.id, revision=was.wire.revision, paused=stays)
        if wire == was.wire and recipe == was.recipe:
            return was
        check_sense(recipe, pantry.addresses)
        check_new(wire, await store.playbooks_of(db, was.rig_id), was=was.wire)
        wire = msgspec.structs.replace(wire, revision=wire.revision + 1)
        await store.write_revision(db, was.id, recipe, wire, author=author, what=what, now=self._now())
        return await store.get_playbook(db, was.id)


async def _settled(db: AsyncConnection, rig_id: int, recipe: Recipe) -> tuple[Recipe, Pantry]:
    """The recipe for this rig's platform, with what its author left to the commander: the script and the name."""
    platform, pantry = await store.platform_of_rig(db, rig_id), await open_pantry(db)
    entry = pantry.software.get(recipe.software_id)
    download = entry.about.download(platform) if entry else None
    script = recipe.script if recipe.script.strip() else download.script if download else ""
    name = recipe.name.strip() or _name(recipe, pantry)
    variables = {name: value for name, value in recipe.variables.items() if value}
    return replace(recipe, platform=platform, script=script, name=name, variables=variables), pantry


def _name(recipe: Recipe, pantry: Pantry) -> str:
    """What it does, for people: "XMRig Monero"."""
    entry = pantry.software.get(recipe.software_id)
    coins = [coin_of(work, pantry.addresses) or work.algorithm for work in recipe.works]
    return (
        " ".join(filter(None, (entry.about.name if entry else "", " + ".join(filter(None, coins)))))[:64] or "Playbook"
    )


def _for_platform(recipe: Recipe, platform: Platform, pantry: Pantry) -> Recipe:
    """Another platform needs another script: there is one only if nobody has edited the software's own."""
    if platform is recipe.platform:
        return recipe
    entry = pantry.software.get(recipe.software_id)
    here, there = (entry.about.download(each) if entry else None for each in (recipe.platform, platform))
    if here is None or there is None or here.script != recipe.script:
        written, runs = SYSTEMS[recipe.platform], SYSTEMS[platform]
        raise BadPlaybook({"script": f"Its script is written for {written}, and this rig runs {runs}."})
    return replace(recipe, platform=platform, script=there.script)
