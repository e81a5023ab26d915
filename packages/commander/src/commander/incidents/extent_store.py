"""Queries about all conditions of an incident: there may be tens of thousands. None commits."""

from collections.abc import Collection, Iterable
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.db import Moment
from commander.incidents.domain import COMMANDER, Condition, ConditionKey
from commander.incidents.store import condition_of
from commander.incidents.tables import conditions
from commander.incidents.words import Extent

_MANY = 300  # parameters of one query
_AT_A_TIME = 1_000  # rows; then requests of people and sentries have their turn
_RIG = sa.func.count(sa.distinct(conditions.c.kind + ":" + sa.cast(conditions.c.rig_id, sa.String(16))))
_EXTENT = (
    sa.func.count(),
    _RIG,
    sa.func.min(conditions.c.name),
    sa.func.min(conditions.c.value),
    sa.func.max(sa.case((conditions.c.kind == COMMANDER, 1), else_=0)),
    sa.func.min(conditions.c.began_at, type_=Moment()),
    sa.func.max(conditions.c.began_at, type_=Moment()),
)


async def read_extent(db: AsyncConnection, incident_id: int) -> Extent | None:
    """Returns None for an incident without conditions."""
    query = sa.select(*_EXTENT).where(conditions.c.incident_id == incident_id)
    count, rigs, name, value, of_commander, first_at, last_at = (await db.execute(query)).one()
    return Extent(count, rigs, name, value, bool(of_commander), first_at, last_at) if count else None


async def is_failing(db: AsyncConnection, incident_id: int) -> bool:
    """Returns whether one of the incident's conditions has not ended."""
    query = sa.select(conditions.c.id).where(conditions.c.incident_id == incident_id, conditions.c.ended_at.is_(None))
    return (await db.execute(query.limit(1))).first() is not None


async def conditions_of(db: AsyncConnection, incident_id: int) -> list[Condition]:
    """Returns the conditions of an incident by name of the rig, also those that have ended."""
    found: list[Condition] = []
    last = ("", 0)
    while True:
        place = sa.tuple_(conditions.c.name, conditions.c.id)
        query = sa.select(conditions).where(conditions.c.incident_id == incident_id, place > last)
        rows = (await db.execute(query.order_by(conditions.c.name, conditions.c.id).limit(_AT_A_TIME))).all()
        found += [condition_of(row) for row in rows]
        if len(rows) < _AT_A_TIME:
            return found
        last = (found[-1].name, found[-1].id)


async def keys_of_incidents(db: AsyncConnection, incident_ids: Collection[int]) -> dict[ConditionKey, int]:
    """Returns the incident of each condition, by the condition's key."""
    columns = [conditions.c[name] for name in ConditionKey._fields]
    listed, found = sorted(incident_ids), dict[ConditionKey, int]()
    for at in range(0, len(listed), _MANY):
        query = sa.select(*columns, conditions.c.incident_id)
        query = query.where(conditions.c.incident_id.in_(listed[at : at + _MANY])).order_by(conditions.c.id)
        found |= {ConditionKey(*row[:-1]): row[-1] for row in await db.execute(query)}
    return found


async def ended_since(db: AsyncConnection, moment: datetime) -> list[Condition]:
    """Returns the conditions that ended then or later, the first to end first."""
    query = sa.select(conditions).where(conditions.c.ended_at >= moment)
    return [condition_of(row) for row in await db.execute(query.order_by(conditions.c.ended_at, conditions.c.id))]


def extent_of(some: Iterable[Condition]) -> Extent:
    """Returns the extent of conditions in memory; there is at least one."""
    listed = list(some)
    moments = [each.began_at for each in listed]
    return Extent(
        conditions=len(listed),
        rigs=len({each.key[:2] for each in listed}),
        name=listed[0].name,
        value=listed[0].value,
        is_of_commander=any(each.key.kind == COMMANDER for each in listed),
        first_at=min(moments),
        last_at=max(moments),
    )
