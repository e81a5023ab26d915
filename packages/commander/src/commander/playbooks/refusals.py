"""The reasons for which sentries refuse what their inbox brings, in the database. No function here commits."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.db import insert_for
from commander.playbooks.tables import playbook_refusals as refusals
from commander.registry.tables import cpu_gpu_rigs as rigs


async def all_refusals(db: AsyncConnection) -> dict[int, str]:
    """Returns the reason by rig."""
    return {rig_id: reason for rig_id, reason in await db.execute(sa.select(refusals.c.rig_id, refusals.c.reason))}


async def refusal_of(db: AsyncConnection, rig_id: int) -> str:
    """Returns the reason; an empty text if the rig's sentry refuses nothing."""
    query = sa.select(refusals.c.reason).where(refusals.c.rig_id == rig_id)
    return (await db.execute(query)).scalar_one_or_none() or ""


async def put_refusal(db: AsyncConnection, rig_id: int, reason: str) -> None:
    """Stores the reason; an empty text deletes it. A rig that has just been removed is left out."""
    if not reason:
        await db.execute(sa.delete(refusals).where(refusals.c.rig_id == rig_id))
    elif (await db.execute(sa.select(rigs.c.id).where(rigs.c.id == rig_id))).scalar_one_or_none() is not None:
        query = insert_for(db, refusals).values(rig_id=rig_id, reason=reason)
        await db.execute(query.on_conflict_do_update(index_elements=[refusals.c.rig_id], set_={"reason": reason}))
