"""Queries about alert rules. None commits."""

from collections.abc import Mapping
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.alert_rules.domain import SHIPPED, AlertRule, AlertRuleNotFound, RuleLimits, Sensor, ShippedAlertRule
from commander.alert_rules.tables import alert_rules
from commander.db import insert_for
from commander.readings.severity import Severity


async def all_rules(db: AsyncConnection) -> list[AlertRule]:
    """Returns the rules, oldest first."""
    return [_rule(row) for row in await db.execute(sa.select(alert_rules).order_by(alert_rules.c.id))]


async def get_rule(db: AsyncConnection, rule_id: int) -> AlertRule:
    """Raises `AlertRuleNotFound`."""
    row = (await db.execute(sa.select(alert_rules).where(alert_rules.c.id == rule_id))).one_or_none()
    if row is None:
        raise AlertRuleNotFound("There is no such alert rule; it may have been removed.")
    return _rule(row)


async def add_shipped(db: AsyncConnection) -> None:
    """Adds the shipped rules that are not there, and brings those that no person has changed up to date."""
    for name, limits in SHIPPED.items():
        values = _values(limits)
        query = insert_for(db, alert_rules).values(shipped=name, is_changed=False, **values)
        query = query.on_conflict_do_update(
            index_elements=[alert_rules.c.shipped], set_=values, where=~alert_rules.c.is_changed
        )
        await db.execute(query)


async def insert_rule(db: AsyncConnection, limits: RuleLimits) -> AlertRule:
    query = sa.insert(alert_rules).values(shipped=None, is_changed=True, **_values(limits))
    rule_id: int = (await db.execute(query.returning(alert_rules.c.id))).scalar_one()
    return AlertRule(rule_id, None, limits)


async def update_rule(db: AsyncConnection, rule_id: int, limits: RuleLimits) -> None:
    """Raises `AlertRuleNotFound`."""
    query = sa.update(alert_rules).where(alert_rules.c.id == rule_id).values(is_changed=True, **_values(limits))
    if (await db.execute(query)).rowcount != 1:
        raise AlertRuleNotFound("There is no such alert rule; it may have been removed.")


async def delete_rule(db: AsyncConnection, rule_id: int) -> None:
    """Raises `AlertRuleNotFound` or `ShippedAlertRule`."""
    if (await get_rule(db, rule_id)).shipped is not None:
        raise ShippedAlertRule("A shipped rule can't be removed. Switch it off instead.")
    await db.execute(sa.delete(alert_rules).where(alert_rules.c.id == rule_id))


async def failing_rules(db: AsyncConnection) -> dict[int, datetime]:
    """Returns the ids of the rules that can't be evaluated because of an error, and since when."""
    query = sa.select(alert_rules.c.id, alert_rules.c.failing_since).where(alert_rules.c.failing_since.is_not(None))
    return {row.id: row.failing_since for row in await db.execute(query)}


async def set_failing(db: AsyncConnection, since: Mapping[int, datetime]) -> None:
    """Notes the rules that can't be evaluated; all others can."""
    await db.execute(sa.update(alert_rules).where(alert_rules.c.id.not_in(since)).values(failing_since=None))
    for rule_id, moment in since.items():
        await db.execute(sa.update(alert_rules).where(alert_rules.c.id == rule_id).values(failing_since=moment))


def _values(limits: RuleLimits) -> dict[str, object]:
    return {
        "rule": limits.rule,
        "sensor": limits.sensor,
        "enabled": limits.enabled,
        "selection": limits.select,
        "warning": limits.warning,
        "critical": limits.critical,
        "severity": limits.severity,
        "for_s": limits.for_s,
        "clear_for_s": limits.clear_for_s,
        "allowed": limits.allowed,
    }


def _rule(row: sa.Row[tuple[object, ...]]) -> AlertRule:
    values = dict(row._mapping)
    rule_id, shipped = values.pop("id"), values.pop("shipped")
    del values["is_changed"], values["failing_since"]
    values["select"] = values.pop("selection")
    unknown = ""
    for name, kind, default in (("severity", Severity, Severity.WARNING), ("sensor", Sensor, None)):
        stored = values[name] or None
        values[name] = kind(stored) if stored in set(kind) else default
        if stored is not None and values[name] != stored:
            unknown = f"This version of the commander knows no {name} “{stored}”."
    return AlertRule(rule_id, shipped, RuleLimits(**values), unknown)
