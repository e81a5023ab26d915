"""Queries about incidents and their conditions. None commits."""

from collections.abc import Collection, Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.incidents.domain import (
    OPEN_PHASES,
    VALUE_MAX_LENGTH,
    Condition,
    ConditionKey,
    Incident,
    IncidentNotFound,
    InCommon,
    Phase,
)
from commander.incidents.tables import conditions, incidents
from commander.readings.severity import Severity

_MANY = 300  # parameters of one query
_in_common = msgspec.json.Decoder(InCommon)


async def read_incidents(
    db: AsyncConnection, *, is_open: bool, before_id: int | None = None, limit: int = 100
) -> list[Incident]:
    """Returns open or closed incidents, newest first; with `before_id` those before that one."""
    closed_at = incidents.c.closed_at
    query = sa.select(incidents).where(closed_at.is_(None) if is_open else closed_at.is_not(None))
    if before_id is not None:
        query = query.where(incidents.c.id < before_id)
    return [incident_of(row) for row in await db.execute(query.order_by(incidents.c.id.desc()).limit(limit))]


async def open_incidents(db: AsyncConnection, *, to_change: bool = False) -> list[Incident]:
    """Returns all open incidents, oldest first. `to_change`: locks them until the transaction ends."""
    query = sa.select(incidents).where(incidents.c.closed_at.is_(None)).order_by(incidents.c.id)
    if to_change:  # says nothing in SQLite, which has one writer at a time
        query = query.with_for_update()
    return [incident_of(row) for row in await db.execute(query)]


async def count_open(db: AsyncConnection) -> int:
    query = sa.select(sa.func.count()).select_from(incidents).where(incidents.c.closed_at.is_(None))
    count: int = (await db.execute(query)).scalar_one()
    return count


async def newest_id(db: AsyncConnection) -> int:
    """Returns the id of the newest incident; 0 if there is none."""
    newest: int | None = (await db.execute(sa.select(sa.func.max(incidents.c.id)))).scalar_one()
    return newest or 0


async def get_incident(db: AsyncConnection, incident_id: int) -> Incident:
    """Raises `IncidentNotFound`."""
    incident = await find_incident(db, incident_id)
    if incident is None:
        raise IncidentNotFound("There is no such incident; it may have been deleted.")
    return incident


async def find_incident(db: AsyncConnection, incident_id: int) -> Incident | None:
    row = (await db.execute(sa.select(incidents).where(incidents.c.id == incident_id))).one_or_none()
    return None if row is None else incident_of(row)


async def read_recent(db: AsyncConnection, *, closed_after: datetime) -> list[Incident]:
    """Returns the incidents that were closed after a moment, oldest first."""
    query = sa.select(incidents).where(incidents.c.closed_at > closed_after).order_by(incidents.c.id)
    return [incident_of(row) for row in await db.execute(query)]


async def conditions_of_incidents(db: AsyncConnection, incident_ids: Sequence[int]) -> dict[int, list[Condition]]:
    """Returns the conditions of each incident, by name of the rig. Those that have ended are there too."""
    found: dict[int, list[Condition]] = {incident_id: [] for incident_id in incident_ids}
    for at in range(0, len(incident_ids), _MANY):
        query = sa.select(conditions).where(conditions.c.incident_id.in_(incident_ids[at : at + _MANY]))
        for row in await db.execute(query.order_by(conditions.c.name, conditions.c.id)):
            found[row.incident_id].append(condition_of(row))
    return found


async def current_conditions(db: AsyncConnection) -> list[Condition]:
    """Returns all conditions that have not ended, also those that are pending."""
    query = sa.select(conditions).where(conditions.c.ended_at.is_(None)).order_by(conditions.c.id)
    return [condition_of(row) for row in await db.execute(query)]


async def firing_conditions(db: AsyncConnection) -> list[Condition]:
    """Returns all conditions that have fired and not ended."""
    query = sa.select(conditions).where(conditions.c.ended_at.is_(None), conditions.c.phase.in_(OPEN_PHASES))
    return [condition_of(row) for row in await db.execute(query.order_by(conditions.c.id))]


async def conditions_of_rig(
    db: AsyncConnection, kind: str, rig_id: int, *, since: datetime, until: datetime, limit: int = 500
) -> list[Condition]:
    """Returns the conditions of a rig that fired and that held at some moment with since <= moment < until.

    They are for bands in charts and for the rig's list; newest first.
    """
    query = sa.select(conditions).where(
        conditions.c.kind == kind,
        conditions.c.rig_id == rig_id,
        conditions.c.phase != Phase.PENDING,
        conditions.c.began_at < until,
        sa.or_(conditions.c.ended_at.is_(None), conditions.c.ended_at >= since),
    )
    return [condition_of(row) for row in await db.execute(query.order_by(conditions.c.began_at.desc()).limit(limit))]


async def insert_incident(db: AsyncConnection, incident: Incident) -> int:
    """Returns the new id."""
    query = sa.insert(incidents).values(_values_of_incident(incident)).returning(incidents.c.id)
    incident_id: int = (await db.execute(query)).scalar_one()
    return incident_id


async def update_incident(db: AsyncConnection, incident: Incident) -> None:
    """Writes what the engine decides; what people do to the incident is not touched."""
    values = _values_of_incident(incident)
    for column in ("acknowledged_at", "acknowledged_by", "muted_until"):
        del values[column]
    await db.execute(sa.update(incidents).where(incidents.c.id == incident.id).values(values))


async def acknowledge(db: AsyncConnection, incident_id: int, by: str, *, now: datetime) -> bool:
    """Returns whether the incident was open."""
    values = {"acknowledged_at": now, "acknowledged_by": by, "remind_at": None}
    return await _set_open(db, incident_id, values)


async def set_muted(db: AsyncConnection, incident_id: int, until: datetime | None) -> bool:
    """Returns whether the incident was open."""
    return await _set_open(db, incident_id, {"muted_until": until})


async def insert_conditions(db: AsyncConnection, new: Sequence[Condition]) -> None:
    """Sets the id of each."""
    if not new:
        return
    columns = (conditions.c.id, *(conditions.c[name] for name in ConditionKey._fields))
    rows = await db.execute(sa.insert(conditions).returning(*columns), [_values_of_condition(each) for each in new])
    ids = {ConditionKey(*row[1:]): row.id for row in rows}
    for each in new:
        each.id = ids[each.key]


async def update_conditions(db: AsyncConnection, changed: Sequence[Condition]) -> None:
    if changed:
        names = ("name", "severity", "phase", "value", "due_at", "ended_at", "incident_id")
        query = (
            sa.update(conditions)
            .where(conditions.c.id == sa.bindparam("row_id"))
            .values({name: sa.bindparam(f"new_{name}") for name in names})
        )
        written = [(each.id, _values_of_condition(each)) for each in changed]
        rows = [{"row_id": row_id} | {f"new_{name}": values[name] for name in names} for row_id, values in written]
        await db.execute(query, rows)


async def delete_conditions(db: AsyncConnection, ids: Collection[int]) -> None:
    listed = list(ids)
    for at in range(0, len(listed), _MANY):
        await db.execute(sa.delete(conditions).where(conditions.c.id.in_(listed[at : at + _MANY])))


async def delete_closed_before(db: AsyncConnection, moment: datetime, *, limit: int) -> int:
    """Deletes the oldest closed incidents and conditions; returns how many incidents."""
    old = sa.select(incidents.c.id).where(incidents.c.closed_at < moment).order_by(incidents.c.closed_at).limit(limit)
    gone = await db.execute(sa.delete(incidents).where(incidents.c.id.in_(old)))
    await db.execute(sa.delete(conditions).where(conditions.c.ended_at < moment, conditions.c.incident_id.is_(None)))
    return gone.rowcount


async def _set_open(db: AsyncConnection, incident_id: int, values: dict[str, object]) -> bool:
    query = sa.update(incidents).where(incidents.c.id == incident_id, incidents.c.closed_at.is_(None)).values(values)
    return (await db.execute(query)).rowcount == 1


def _values_of_incident(incident: Incident) -> dict[str, object]:
    return {
        "rule": incident.rule,
        "severity": incident.severity,
        "title": incident.title[:256],
        "opened_at": incident.opened_at,
        "closed_at": incident.closed_at,
        "acknowledged_at": incident.acknowledged_at,
        "acknowledged_by": incident.acknowledged_by,
        "muted_until": incident.muted_until,
        "in_common": None if incident.in_common is None else msgspec.json.encode(incident.in_common),
        "step": incident.step,
        "joined_at": incident.joined_at,
        "message_at": incident.message_at,
        "sent_at": incident.sent_at,
        "remind_at": incident.remind_at,
        "hold_s": incident.hold_s,
        "close_at": incident.close_at,
    }


def _values_of_condition(condition: Condition) -> dict[str, object]:
    kind, rig_id, rule, device = condition.key
    return {
        "kind": kind,
        "rig_id": rig_id,
        "name": condition.name[:64],
        "rule": rule,
        "device": device,
        "severity": condition.severity,
        "phase": condition.phase,
        "value": condition.value.replace("\0", "")[:VALUE_MAX_LENGTH],  # PostgreSQL keeps no NUL
        "began_at": condition.began_at,
        "due_at": condition.due_at,
        "ended_at": condition.ended_at,
        "incident_id": condition.incident_id,
    }


def incident_of(row: sa.Row[tuple[object, ...]]) -> Incident:
    values = dict(row._mapping)
    body = values.pop("in_common")
    values["severity"] = Severity(values["severity"])
    return Incident(**values, in_common=None if body is None else _in_common.decode(body))


def condition_of(row: sa.Row[tuple[object, ...]]) -> Condition:
    values = dict(row._mapping)
    key = ConditionKey(*(values.pop(name) for name in ConditionKey._fields))
    values |= {"severity": Severity(values["severity"]), "phase": Phase(values["phase"])}
    return Condition(key=key, **values)
