"""Renders playbooks within a transaction: reads what specs name, and writes new revisions."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import msgspec
from protocol.playbook_messages import Playbook
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.addresses.domain import Address
from commander.addresses.store import all_addresses
from commander.dependents import ChangedPlaybooks, Use
from commander.playbooks import store
from commander.playbooks.domain import BadPlaybook, PlaybookSpec, StoredPlaybook, needs_restart
from commander.playbooks.rendering import RenderInput, rendered
from commander.software.domain import CatalogueEntry
from commander.software.store import all_software


@dataclass(frozen=True, slots=True)
class RenderContext:
    """All rigs, software and addresses that specs can name, as this transaction sees them."""

    rigs: dict[int, str]
    software: dict[int, CatalogueEntry]
    addresses: dict[int, Address]

    def input_for(self, rig_id: int, spec: PlaybookSpec) -> RenderInput:
        entry = self.software.get(spec.software_id)
        return RenderInput(rig_id, self.rigs.get(rig_id, ""), entry.about if entry else None, self.addresses)


NOTHING_CHANGED = ChangedPlaybooks()


async def load_render_context(db: AsyncConnection) -> RenderContext:
    return RenderContext(
        rigs=await store.rig_names(db),
        software={entry.id: entry for entry in await all_software(db)},
        addresses={address.id: address for address in await all_addresses(db)},
    )


async def rerender(
    db: AsyncConnection, playbooks: Iterable[StoredPlaybook], *, author: str, what: str, now: datetime
) -> ChangedPlaybooks:
    """Renders playbooks again after a change of something that they name. Without a difference there is no new
    revision.

    Raises `BadPlaybook`, with the reason of the first playbook that can't take the change.
    """
    context, changed = await load_render_context(db), ChangedPlaybooks()
    for playbook in playbooks:
        after = _again(playbook, context)
        if after == playbook.wire:
            continue
        wire = msgspec.structs.replace(after, revision=playbook.wire.revision + 1)
        await store.write_revision(db, playbook.id, playbook.spec, wire, author=author, what=what, now=now)
        changed.rig_ids.add(playbook.rig_id)
        if needs_restart(playbook.wire, wire) and not wire.paused:
            rig = context.rigs.get(playbook.rig_id, "")
            changed.restarting.append(Use(playbook.id, playbook.spec.name, playbook.rig_id, rig))
    return changed


def _again(playbook: StoredPlaybook, context: RenderContext) -> Playbook:
    wire = playbook.wire
    try:
        return rendered(
            playbook.spec,
            context.input_for(playbook.rig_id, playbook.spec),
            playbook_id=playbook.id,
            revision=wire.revision,
            paused=wire.paused,
        )
    except BadPlaybook as error:
        rig = context.rigs.get(playbook.rig_id, "")
        raise BadPlaybook({"": f"The playbook {wire.name} on {rig} can't take this: {error}"}) from error
