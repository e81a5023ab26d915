"""Queries about the CPU/GPU rigs that wait for approval. None commits."""

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.registry.kinds import RigKind
from commander.registry.store import MANY
from commander.registry.tables import cpu_gpu_rigs as rigs
from commander.registry.tables import unapproved_rigs as unapproved


async def insert_unapproved(db: AsyncConnection, rig_id: int, *, now: datetime, copy_of: int | None = None) -> None:
    """Lets a new rig wait. `copy_of` is the original whose data folder it has."""
    await db.execute(sa.insert(unapproved).values(rig_id=rig_id, since=now, copy_of=copy_of))


async def all_unapproved(db: AsyncConnection, kind: RigKind) -> set[int]:
    """Returns the ids of all rigs that wait. ASICs never do."""
    if kind is not RigKind.CPU_GPU:
        return set()
    return set((await db.execute(sa.select(unapproved.c.rig_id))).scalars())


async def unapproved_among(db: AsyncConnection, rig_ids: Collection[int]) -> dict[int, str]:
    """Returns the names of those of these CPU/GPU rigs that wait, by id."""
    found, ids = dict[int, str](), sorted(rig_ids)
    query = sa.select(rigs.c.id, rigs.c.name).join(unapproved, unapproved.c.rig_id == rigs.c.id).order_by(rigs.c.id)
    for start in range(0, len(ids), MANY):
        rows = await db.execute(query.where(rigs.c.id.in_(ids[start : start + MANY])))
        found |= {row.id: row.name for row in rows}
    return found


async def waiting_copies(db: AsyncConnection, rig_id: int) -> int:
    """Returns how many copies of this rig wait."""
    query = sa.select(sa.func.count()).where(unapproved.c.copy_of == rig_id)
    return (await db.execute(query)).scalar_one()


async def original_of(db: AsyncConnection, rig_id: int) -> int:
    """Returns the rig of which this one is a waiting copy, or the copy of a waiting copy. Without one: the rig itself.

    The original may have been removed.
    """
    seen = {rig_id}
    while True:
        query = sa.select(unapproved.c.copy_of).where(unapproved.c.rig_id == rig_id)
        copied = (await db.execute(query)).scalar_one_or_none()
        if copied is None or copied in seen:
            return rig_id
        seen.add(copied)
        rig_id = copied


async def approve(db: AsyncConnection, rig_id: int) -> bool:
    """Returns whether the rig has waited until now."""
    return (await db.execute(sa.delete(unapproved).where(unapproved.c.rig_id == rig_id))).rowcount == 1
