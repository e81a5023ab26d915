"""Deletes old incidents and conditions, so that a rig that flaps for months does not fill the database."""

from datetime import datetime, timedelta

import sqlalchemy as sa

from commander.db import Database
from commander.incidents import store
from commander.incidents.tables import conditions, incidents

KEPT = timedelta(days=400)
KEPT_OF_DEVICE = 200  # conditions of one rig, rule and device
EMPTY_FOR = timedelta(days=1)  # an incident whose conditions were all deleted
AT_A_TIME = 1_000  # rows of one transaction


async def forget_old(database: Database, now: datetime) -> None:
    """Deletes what ended 400 days ago, and all but the newest 200 conditions of each rig, rule and device."""
    await _forget_surplus(database)
    while True:
        async with database.transaction() as db:
            if await store.delete_closed_before(db, now - KEPT, limit=AT_A_TIME) < AT_A_TIME:
                break
    is_empty = ~sa.select(conditions.c.id).where(conditions.c.incident_id == incidents.c.id).exists()
    async with database.transaction() as db:
        await db.execute(sa.delete(incidents).where(incidents.c.closed_at < now - EMPTY_FOR, is_empty))


async def _forget_surplus(database: Database) -> None:
    same = (conditions.c.kind, conditions.c.rig_id, conditions.c.rule, conditions.c.device)
    place = sa.func.row_number().over(partition_by=same, order_by=conditions.c.id.desc()).label("place")
    ranked = sa.select(conditions.c.id, place).where(conditions.c.ended_at.is_not(None)).subquery()
    async with database.reading() as db:
        rows = await db.execute(sa.select(ranked.c.id).where(ranked.c.place > KEPT_OF_DEVICE))
        surplus = list(rows.scalars())
    for at in range(0, len(surplus), AT_A_TIME):
        async with database.transaction() as db:
            await store.delete_conditions(db, surplus[at : at + AT_A_TIME])
