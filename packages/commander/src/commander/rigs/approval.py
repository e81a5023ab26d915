"""Approves rigs that wait: one transaction, then their sentries and open pages are notified."""

from collections.abc import Collection

from protocol import units

from commander.audit.store import record
from commander.db import Database
from commander.live.rigs import LiveRigs
from commander.registry import approval

RIGS_NAMED = 50  # in the audit log


async def approve_rigs(database: Database, live: LiveRigs, rig_ids: Collection[int]) -> int:
    """Returns how many rigs have waited until now. A rig that does not wait, or was removed, is passed over."""
    async with database.transaction() as db:
        waiting = await approval.unapproved_among(db, rig_ids)
        approved = {rig_id: name for rig_id, name in waiting.items() if await approval.approve(db, rig_id)}
        if approved:
            names = list(approved.values())
            subject = names[0] if len(names) == 1 else f"{len(names):,} rigs"
            await record(db, "rigs approved", subject, units.listed(names, RIGS_NAMED))
    for rig_id in approved:
        live.approved(rig_id)
    return len(approved)
