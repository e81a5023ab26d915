"""Queries about the watchdog's rules and events. A function is one query; none commits."""

from collections.abc import Mapping
from datetime import datetime

import msgspec
import sqlalchemy as sa
from protocol.command_messages import LadderAct, LadderEvent, LadderSettings
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.db import insert_for
from commander.registry.tables import cpu_gpu_rigs as rigs
from commander.watchdog.domain import ActOfRig, GivenUp, Rule, RuleNotFound
from commander.watchdog.tables import watchdog_events as events
from commander.watchdog.tables import watchdog_rules as rules

EVENTS_OF_A_RIG = 2_000


async def all_rules(db: AsyncConnection) -> list[Rule]:
    """Returns the rules, oldest first."""
    query = sa.select(rules.c.id, rules.c.selection, rules.c.limits).where(~rules.c.is_removed).order_by(rules.c.id)
    return [Rule(row.id, row.selection, _limits(row.limits)) for row in await db.execute(query)]


async def were_there_rules(db: AsyncConnection) -> bool:
    """Returns whether there has ever been a rule."""
    return (await db.execute(sa.select(rules.c.id).limit(1))).first() is not None


async def get_rule(db: AsyncConnection, rule_id: int) -> Rule:
    query = sa.select(rules.c.id, rules.c.selection, rules.c.limits).where(rules.c.id == rule_id, ~rules.c.is_removed)
    row = (await db.execute(query)).one_or_none()
    if row is None:
        raise RuleNotFound("There is no such watchdog rule; it may have been removed.")
    return Rule(row.id, row.selection, _limits(row.limits))


async def insert_rule(db: AsyncConnection, selection: str, limits: LadderSettings) -> Rule:
    values = {"selection": selection, "limits": msgspec.json.encode(limits), "is_removed": False}
    rule_id = (await db.execute(sa.insert(rules).values(values).returning(rules.c.id))).scalar_one()
    return Rule(rule_id, selection, limits)


async def update_rule(db: AsyncConnection, rule: Rule) -> None:
    """Raises `RuleNotFound`."""
    values = {"selection": rule.select, "limits": msgspec.json.encode(rule.limits)}
    changed = await db.execute(sa.update(rules).where(rules.c.id == rule.id, ~rules.c.is_removed).values(values))
    if changed.rowcount != 1:
        raise RuleNotFound("There is no such watchdog rule; it may have been removed.")


async def remove_rule(db: AsyncConnection, rule_id: int) -> None:
    """Raises `RuleNotFound`."""
    query = sa.update(rules).where(rules.c.id == rule_id, ~rules.c.is_removed).values(is_removed=True)
    if (await db.execute(query)).rowcount != 1:
        raise RuleNotFound("There is no such watchdog rule; it may have been removed.")


async def add_event(db: AsyncConnection, rig_id: int, event: LadderEvent, at: datetime) -> bool:
    """Returns whether the event is new. The newest event of a rig says whether its watchdog has given up."""
    values = {"rig_id": rig_id, "event_id": event.id, "at": at, "body": msgspec.json.encode(event)}
    added = await db.execute(insert_for(db, events).values(values).on_conflict_do_nothing())
    if added.rowcount != 1:
        return False
    of_rig = sa.select(events.c.event_id).where(events.c.rig_id == rig_id)
    newest = (await db.execute(of_rig.order_by(events.c.at.desc(), events.c.event_id.desc()).limit(1))).scalar()
    if newest == event.id:
        is_it = sa.and_(events.c.event_id == event.id, sa.literal(event.act is LadderAct.GAVE_UP))
        await db.execute(sa.update(events).where(events.c.rig_id == rig_id).values(is_given_up=is_it))
    return True


async def delete_oldest_events(db: AsyncConnection, rig_id: int) -> None:
    """Keeps the rig's newest events, and those by which its watchdog has given up until now."""
    of_rig = sa.select(events.c.event_id).where(events.c.rig_id == rig_id)
    too_old = of_rig.order_by(events.c.at.desc(), events.c.event_id.desc()).offset(EVENTS_OF_A_RIG)
    here = (events.c.rig_id == rig_id, events.c.event_id.in_(too_old), ~events.c.is_given_up)
    await db.execute(sa.delete(events).where(*here))


async def newest_events(db: AsyncConnection, rig_id: int, most: int) -> list[tuple[datetime, LadderEvent]]:
    """Returns a rig's events, newest first."""
    query = sa.select(events.c.at, events.c.body).where(events.c.rig_id == rig_id)
    rows = await db.execute(query.order_by(events.c.at.desc(), events.c.event_id).limit(most))
    return [(row.at, msgspec.json.decode(row.body, type=LadderEvent)) for row in rows]


async def newest_acts(db: AsyncConnection, most: int) -> list[ActOfRig]:
    """Returns the acts of all rigs, newest first."""
    query = sa.select(events.c.at, events.c.rig_id, rigs.c.name, events.c.body).join(rigs, rigs.c.id == events.c.rig_id)
    rows = await db.execute(query.order_by(events.c.at.desc(), events.c.rig_id, events.c.event_id).limit(most))
    return [ActOfRig(row.at, row.rig_id, row.name, msgspec.json.decode(row.body, type=LadderEvent)) for row in rows]


async def rigs_given_up(db: AsyncConnection) -> dict[int, GivenUp]:
    """Returns the rigs whose watchdog has given up, until they mine again or somebody acts."""
    query = sa.select(events.c.rig_id, events.c.at, events.c.body).where(events.c.is_given_up)
    rows = ((row.rig_id, row.at, msgspec.json.decode(row.body, type=LadderEvent)) for row in await db.execute(query))
    return {rig_id: GivenUp(event.reason, at) for rig_id, at, event in rows}


async def note_over(db: AsyncConnection, given_up: Mapping[int, GivenUp]) -> None:
    """Notes that these times of giving up are over. A rig whose watchdog has given up again since then is left."""
    for rig_id, each in given_up.items():
        query = sa.update(events).where(events.c.rig_id == rig_id, events.c.at == each.at, events.c.is_given_up)
        await db.execute(query.values(is_given_up=False))


async def delete_events_before(db: AsyncConnection, moment: datetime) -> None:
    """Deletes old events, but not those by which a watchdog has given up until now."""
    await db.execute(sa.delete(events).where(events.c.at < moment, ~events.c.is_given_up))


def _limits(body: bytes) -> LadderSettings:
    return msgspec.json.decode(body, type=LadderSettings)
