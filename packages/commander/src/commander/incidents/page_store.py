"""Queries of the pages of incidents. None commits."""

from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.incidents.domain import Condition, Incident
from commander.incidents.store import condition_of, incident_of
from commander.incidents.tables import conditions, incidents


class ShownConditions(NamedTuple):
    """The first conditions of an incident, those that still hold first; `total` is the number of all."""

    first: list[Condition]
    total: int


async def shown_conditions(
    db: AsyncConnection, incident_ids: Sequence[int], *, each_most: int
) -> dict[int, ShownConditions]:
    """Returns at most `each_most` conditions of each incident: ten thousand rigs may be silent at once."""
    of_these = conditions.c.incident_id.in_(incident_ids)
    order = (conditions.c.ended_at.is_not(None), conditions.c.name, conditions.c.id)
    place = sa.func.row_number().over(partition_by=conditions.c.incident_id, order_by=order).label("place")
    ranked = sa.select(conditions.c.id, place).where(of_these).subquery()
    query = sa.select(conditions).join(ranked, ranked.c.id == conditions.c.id).where(ranked.c.place <= each_most)
    counts = sa.select(conditions.c.incident_id, sa.func.count()).where(of_these).group_by(conditions.c.incident_id)
    totals = {incident_id: total for incident_id, total in await db.execute(counts)}
    found = {incident_id: ShownConditions([], totals.get(incident_id, 0)) for incident_id in incident_ids}
    for row in await db.execute(query.order_by(ranked.c.place)):
        found[row.incident_id].first.append(condition_of(row))
    return found


async def incidents_of_rig(
    db: AsyncConnection, kind: str, rig_id: int, *, is_open: bool, before_id: int | None, limit: int
) -> list[Incident]:
    """Returns incidents that a rig was or is part of, newest first; with `before_id` those before that one."""
    its_own = sa.select(conditions.c.incident_id).where(conditions.c.kind == kind, conditions.c.rig_id == rig_id)
    closed_at = incidents.c.closed_at
    query = sa.select(incidents).where(closed_at.is_(None) if is_open else closed_at.is_not(None))
    query = query.where(incidents.c.id.in_(its_own))
    if before_id is not None:
        query = query.where(incidents.c.id < before_id)
    return [incident_of(row) for row in await db.execute(query.order_by(incidents.c.id.desc()).limit(limit))]
