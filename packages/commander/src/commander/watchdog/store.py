"""Queries about the watchdog's rules and events. A function is one query; none commits."""

from datetime import datetime

import msgspec
import sqlalchemy as sa
from protocol.command_messages import LadderAct, LadderEvent, LadderSettings
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.db import insert_for
from commander.registry.tables import cpu_gpu_rigs as rigs
from commander.watchdog.domain import ActOfRig, Rule, RuleNotFound
from commander.watchdog.tables import watchdog_events as events
from commander.watchdog.tables import watchdog_rules as rules


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
    """Returns whether the event is new."""
    values = {"rig_id": rig_id, "event_id": event.id, "at": at, "body": msgspec.json.encode(event)}
    added = await db.execute(insert_for(db, events).values(values).on_conflict_do_nothing())
    return added.rowcount == 1


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


async def reasons_to_give_up(db: AsyncConnection, *, since: datetime) -> dict[int, str]:
    """Returns the rigs whose watchdog gave up last, with its reason."""
    query = sa.select(events.c.rig_id, events.c.body).where(events.c.at >= since)
    newest = {row.rig_id: row.body for row in await db.execute(query.order_by(events.c.at, events.c.event_id))}
    acts = ((rig_id, msgspec.json.decode(body, type=LadderEvent)) for rig_id, body in newest.items())
    return {rig_id: act.reason for rig_id, act in acts if act.act is LadderAct.GAVE_UP}


async def delete_events_before(db: AsyncConnection, moment: datetime) -> None:
    await db.execute(sa.delete(events).where(events.c.at < moment))


def _limits(body: bytes) -> LadderSettings:
    return msgspec.json.decode(body, type=LadderSettings)
