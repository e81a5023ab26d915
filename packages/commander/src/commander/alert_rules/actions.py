"""Adds, changes and removes alert rules: one transaction each; then other nodes and open pages are notified."""

from collections.abc import Callable
from datetime import datetime

from msgspec.structs import replace

from commander.alert_rules import store
from commander.alert_rules.allowed_pools import allowed_pools
from commander.alert_rules.domain import (
    RULES_AT_MOST,
    AlertRule,
    BadAlertRule,
    RuleLimits,
    RuleName,
    checked_limits,
    comparison_of,
)
from commander.audit.store import record
from commander.db import Database
from commander.live.cluster import Topic
from commander.registry.kinds import RigKind
from commander.selections.compiled import compiled
from commander.selections.domain import BadSelection
from commander.selections.parser import parse

ALERT_RULES = Topic("alert_rules", int)  # the key has no meaning: all rules are read again


class AlertRuleActions:
    """`changed` is called after each commit that changes rules."""

    def __init__(self, database: Database, changed: Callable[[], None]) -> None:
        self._database = database
        self._changed = changed

    async def add_shipped(self) -> None:
        """Adds the shipped rules at the start."""
        async with self._database.transaction() as db:
            await store.add_shipped(db)

    async def rules(self) -> list[AlertRule]:
        """Returns the rules, oldest first."""
        async with self._database.reading() as db:
            return await store.all_rules(db)

    async def failing(self) -> dict[int, datetime]:
        """Returns the ids of the rules that can't be evaluated because of an error, and since when."""
        async with self._database.reading() as db:
            return await store.failing_rules(db)

    async def find(self, rule_id: int) -> AlertRule:
        """Raises `AlertRuleNotFound`."""
        async with self._database.reading() as db:
            return await store.get_rule(db, rule_id)

    async def add(self, limits: RuleLimits) -> AlertRule:
        """Raises `BadAlertRule` or `BadSelection`."""
        checked = checked_rule(limits)
        async with self._database.transaction() as db:
            if len(await store.all_rules(db)) >= RULES_AT_MOST:
                raise BadAlertRule("rule", f"There are {RULES_AT_MOST} alert rules already. Remove one first.")
            rule = await store.insert_rule(db, checked)
            await record(db, "alert rule added", checked.rule, describe(checked))
        self._changed()
        return rule

    async def change(self, rule_id: int, limits: RuleLimits) -> AlertRule:
        """Raises `BadAlertRule`, `BadSelection` or `AlertRuleNotFound`. A shipped rule keeps its subject."""
        checked = checked_rule(limits)
        async with self._database.transaction() as db:
            before = await store.get_rule(db, rule_id)
            if before.shipped is not None and before.slot != (checked.rule, checked.sensor):
                raise BadAlertRule(
                    "rule", f"The shipped rule {before.limits.rule} can't become another rule. Add a new rule instead."
                )
            await store.update_rule(db, rule_id, checked)
            await record(db, "alert rule changed", checked.rule, describe(checked))
        self._changed()
        return AlertRule(rule_id, before.shipped, checked)

    async def remove(self, rule_id: int) -> None:
        """Raises `AlertRuleNotFound` or `ShippedAlertRule`."""
        async with self._database.transaction() as db:
            rule = await store.get_rule(db, rule_id)
            await store.delete_rule(db, rule_id)
            await record(db, "alert rule removed", rule.limits.rule, describe(rule.limits))
        self._changed()


def checked_rule(limits: RuleLimits) -> RuleLimits:
    """Raises `BadAlertRule` or `BadSelection`."""
    selection = parse(limits.select)
    for kind in RigKind:
        compiled(selection, kind)
    _check_allowed(limits)
    checked = checked_limits(replace(limits, select=selection.line))
    if comparison_of(checked.rule):
        try:
            compiled(parse(checked.rule), RigKind.CPU_GPU)
        except BadSelection as error:
            raise BadAlertRule("rule", str(error)) from error
    return checked


def _check_allowed(limits: RuleLimits) -> None:
    if limits.allowed and limits.rule != RuleName.WALLET:
        raise BadAlertRule("allowed", "Only the rule wallet has allowed pools.")
    try:
        allowed_pools(limits.allowed)
    except ValueError as error:
        text = f"“{str(error)[:40]}” is no pool. Write pool.example:3333, or account@pool.example:3333."
        raise BadAlertRule("allowed", text) from error


def describe(limits: RuleLimits) -> str:
    """Returns a rule's limits in words, for the audit log."""
    rigs = f"for {limits.select}" if limits.select else "for all rigs"
    bounds = [
        f"{name} {value:g}"
        for name, value in (("warning", limits.warning), ("critical", limits.critical))
        if value is not None
    ]
    allowed = [f"allowed {limits.allowed}"] if limits.allowed else []
    return ", ".join([rigs, "on" if limits.enabled else "off", *bounds, *allowed, f"for {limits.for_s:g} s"])
