"""New playbooks of rigs: checked together with the others of their rig, then written."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from protocol.playbook_messages import Playbook
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.playbooks import store
from commander.playbooks.consistency import check_consistency, check_not_duplicate
from commander.playbooks.domain import PLAYBOOKS_A_RIG, PlaybookSpec, StoredPlaybook, TooManyPlaybooks
from commander.playbooks.render_context import RenderContext
from commander.playbooks.rendering import rendered


def checked_wire(
    rig_id: int, spec: PlaybookSpec, context: RenderContext, others: Sequence[StoredPlaybook], *, paused: bool
) -> Playbook:
    """Returns a new playbook as the rig's sentry would get it, without an id. Raises `BadPlaybook` or
    `TooManyPlaybooks`."""
    if len(others) >= PLAYBOOKS_A_RIG:
        raise TooManyPlaybooks(f"A rig has {PLAYBOOKS_A_RIG} playbooks at most; remove one first.")
    wire = rendered(spec, context.input_for(rig_id, spec), revision=1, paused=paused)
    check_consistency(spec, context.addresses)
    check_not_duplicate(wire, others)
    return wire


async def insert(
    db: AsyncConnection, rig_id: int, spec: PlaybookSpec, wire: Playbook, *, author: str, what: str, now: datetime
) -> StoredPlaybook:
    """Writes a new playbook that was checked in this transaction."""
    playbook_id = await store.insert_playbook(db, rig_id, spec, now=now)
    wire = msgspec.structs.replace(wire, id=str(playbook_id))
    await store.write_revision(db, playbook_id, spec, wire, author=author, what=what, now=now)
    return await store.get_playbook(db, playbook_id)
