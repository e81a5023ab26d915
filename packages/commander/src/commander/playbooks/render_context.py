"""Rendering within a transaction: what a recipe names is read, and what came of it is written."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import msgspec
from protocol.playbook_messages import Playbook
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.addresses.domain import Address
from commander.addresses.store import all_addresses
from commander.dependents import Changed, Use
from commander.playbooks import store
from commander.playbooks.domain import BadPlaybook, Recipe, StoredPlaybook, needs_restart
from commander.playbooks.rendering import Ingredients, rendered
from commander.software.domain import Entry
from commander.software.store import all_software


@dataclass(frozen=True, slots=True)
class Pantry:
    """Everything that recipes can name, as this transaction sees it."""

    rigs: dict[int, str]
    software: dict[int, Entry]
    addresses: dict[int, Address]

    def for_recipe(self, rig_id: int, recipe: Recipe) -> Ingredients:
        entry = self.software.get(recipe.software_id)
        return Ingredients(rig_id, self.rigs.get(rig_id, ""), entry.about if entry else None, self.addresses)


NOTHING_CHANGED = Changed()


async def open_pantry(db: AsyncConnection) -> Pantry:
    return Pantry(
        rigs=await store.rig_names(db),
        software={entry.id: entry for entry in await all_software(db)},
        addresses={address.id: address for address in await all_addresses(db)},
    )


async def rerender(
    db: AsyncConnection, found: Iterable[StoredPlaybook], *, author: str, what: str, now: datetime
) -> Changed:
    """Render playbooks anew after something that they name has changed; only what truly differs gets a new revision.

    Raises `BadPlaybook`, in the words of the first playbook that can't take the change.
    """
    pantry, changed = await open_pantry(db), Changed()
    for playbook in found:
        after = _again(playbook, pantry)
        if after == playbook.wire:
            continue
        wire = msgspec.structs.replace(after, revision=playbook.wire.revision + 1)
        await store.write_revision(db, playbook.id, playbook.recipe, wire, author=author, what=what, now=now)
        changed.rig_ids.add(playbook.rig_id)
        if needs_restart(playbook.wire, wire) and not wire.paused:
            rig = pantry.rigs.get(playbook.rig_id, "")
            changed.restarting.append(Use(playbook.id, playbook.recipe.name, playbook.rig_id, rig))
    return changed


def _again(playbook: StoredPlaybook, pantry: Pantry) -> Playbook:
    wire = playbook.wire
    try:
        return rendered(
            playbook.recipe,
            pantry.for_recipe(playbook.rig_id, playbook.recipe),
            playbook_id=playbook.id,
            revision=wire.revision,
            paused=wire.paused,
        )
    except BadPlaybook as error:
        rig = pantry.rigs.get(playbook.rig_id, "")
        raise BadPlaybook({"": f"The playbook {wire.name} on {rig} can't take this: {error}"}) from error
