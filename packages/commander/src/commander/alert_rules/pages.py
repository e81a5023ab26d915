"""The section of `/alerts` with the rules, and the forms that change them."""

import dataclasses
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from litestar import post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect
from msgspec.structs import replace
from protocol import units

from commander.alert_rules.actions import AlertRuleActions
from commander.alert_rules.domain import AlertRule, AlertRuleNotFound, BadAlertRule, RuleLimits
from commander.alert_rules.forms import (
    RuleFields,
    about_choices,
    fields_of,
    has_limits,
    read_fields,
    unit_of,
)
from commander.alert_rules.preview import PreviewResult, preview
from commander.alert_rules.rulebook import why_unreadable
from commander.alert_rules.words import rigs_text, sentence, severities, text_of
from commander.db import Database
from commander.live.rigs import Lives
from commander.live.source import Query
from commander.notifications.alerts_page import HOME, AlertsPage, AlertsPart, OpenDialog
from commander.readings.severity import Severity
from commander.selections.choice import chosen
from commander.selections.domain import BadSelection
from commander.web.ids import id_in
from commander.web.shell import Html

PART, POSITION = "rules", 20
TEMPLATE = "alert_rules/rules.html"
PATH = f"{HOME}/rules"
PREVIEW = "preview"
RIGS_NAMED = 5
TONES = {Severity.CRITICAL: "bad", Severity.WARNING: "warning"}


class AlertRuleRow(NamedTuple):
    """A line of the table. `states` are severities with their tones, `rigs` is how many rigs match now.

    `unreadable` says why this version can't evaluate it; empty: it can. `failing_since` is since when an error of the
    commander keeps it from being evaluated.
    """

    id: int
    name: str
    sentence: str
    states: list[tuple[str, str]]
    select: str
    rigs: str
    enabled: bool
    shipped: bool
    unreadable: str
    failing_since: datetime | None


@dataclass(frozen=True, slots=True)
class AlertRuleDialog:
    """`kind` is add, edit or remove. `result` is what a preview has shown."""

    kind: str
    fields: RuleFields
    name: str = ""
    rule_id: int = 0
    shipped: bool = False
    errors: Mapping[str, str] = field(default_factory=dict)
    result: str = ""

    @property
    def about(self) -> list[tuple[str, str]]:
        return about_choices()

    @property
    def unit(self) -> str:
        return unit_of(self.fields)

    @property
    def has_limits(self) -> bool:
        return has_limits(self.fields)

    @property
    def url(self) -> str:
        return f"{HOME}?dialog={self.kind}-rule{f'&rule={self.rule_id}' if self.rule_id else ''}"


def rules_part(actions: AlertRuleActions, lives: Lives) -> AlertsPart:
    """Returns the section, for the page of alerts."""

    async def load(query: Query) -> list[AlertRuleRow]:
        failing = await actions.failing()
        return [_row(rule, lives, failing.get(rule.id)) for rule in await actions.rules()]

    async def find_dialog(query: Query) -> AlertRuleDialog | None:
        kind, _, what = query.get("dialog", "").partition("-")
        if what != "rule" or kind not in ("add", "edit", "remove"):
            return None
        if kind == "add":
            return AlertRuleDialog("add", RuleFields())
        rule = await actions.find(id_in(query.get("rule", "")) or 0)
        return _dialog(kind, rule, fields_of(rule))

    return AlertsPart(PART, POSITION, TEMPLATE, load, find_dialog)


@post(PATH, include_in_schema=False)
async def add(
    data: URLEncodedBody[RuleFields],
    alert_rule_actions: NamedDependency[AlertRuleActions],
    alerts_page: NamedDependency[AlertsPage],
    database: NamedDependency[Database],
    lives: NamedDependency[Lives],
) -> Html | Redirect:
    limits, errors = read_fields(data)
    if limits and data.do == PREVIEW:
        return await _previewed(alerts_page, AlertRuleDialog("add", data), limits, database, lives)
    if limits:
        try:
            await alert_rule_actions.add(limits)
            return Redirect(HOME, status_code=303)
        except BadAlertRule as error:
            errors = {error.field: str(error)}
    return await _show(alerts_page, AlertRuleDialog("add", data, errors=errors))


@post(PATH + "/{alert_rule_id:int}/edit", include_in_schema=False)
async def edit(
    alert_rule_id: FromPath[int],
    data: URLEncodedBody[RuleFields],
    alert_rule_actions: NamedDependency[AlertRuleActions],
    alerts_page: NamedDependency[AlertsPage],
    database: NamedDependency[Database],
    lives: NamedDependency[Lives],
) -> Html | Redirect:
    rule = await alert_rule_actions.find(alert_rule_id)
    if rule.shipped is not None:
        data = replace(data, about=fields_of(rule).about)
    limits, errors = read_fields(data)
    if limits and data.do == PREVIEW:
        return await _previewed(alerts_page, _dialog("edit", rule, data), limits, database, lives)
    if limits:
        await alert_rule_actions.change(alert_rule_id, limits)
        return Redirect(HOME, status_code=303)
    return await _show(alerts_page, _dialog("edit", rule, data, errors))


@post(PATH + "/{alert_rule_id:int}/switch", include_in_schema=False)
async def switch(alert_rule_id: FromPath[int], alert_rule_actions: NamedDependency[AlertRuleActions]) -> Redirect:
    """Switches a rule on that is off, and off that is on."""
    rule = await alert_rule_actions.find(alert_rule_id)
    await alert_rule_actions.change(alert_rule_id, replace(rule.limits, enabled=not rule.limits.enabled))
    return Redirect(HOME, status_code=303)


@post(PATH + "/{alert_rule_id:int}/remove", include_in_schema=False)
async def remove(alert_rule_id: FromPath[int], alert_rule_actions: NamedDependency[AlertRuleActions]) -> Redirect:
    with suppress(AlertRuleNotFound):  # somebody else was faster
        await alert_rule_actions.remove(alert_rule_id)
    return Redirect(HOME, status_code=303)


HANDLERS: list[HTTPRouteHandler] = [add, edit, switch, remove]


async def _previewed(
    alerts_page: AlertsPage, dialog: AlertRuleDialog, limits: RuleLimits, database: Database, lives: Lives
) -> Html:
    """Shows the dialog again, with how often the rule would have fired."""
    try:
        text = preview_text(await preview(database, lives, limits, now=await database.now()))
    except BadAlertRule as error:
        text = str(error)
    return await alerts_page.show({}, OpenDialog(PART, dataclasses.replace(dialog, result=text), dialog.url))


def preview_text(result: PreviewResult) -> str:
    """Returns "In the last 7 days it would have fired 3 times (rig-07 twice, rig-08 once)."."""
    left_out = ""
    if result.looked_at < result.matching:
        of, all_of = units.count_text(result.looked_at), units.count_text(result.matching)
        left_out = f" Only {of} of {all_of} rigs were looked at."
    if not result.firings:
        return f"In the last 7 days it would not have fired.{left_out}"
    named = units.listed([f"{each.name} {_times(each.firings)}" for each in result.rigs], RIGS_NAMED)
    times = _times(result.firings)
    return f"In the last 7 days it would have fired {times} ({named}).{left_out}"


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{units.count_text(count)} times")


async def _show(alerts_page: AlertsPage, dialog: AlertRuleDialog) -> Html:
    return await alerts_page.show({}, OpenDialog(PART, dialog, dialog.url, is_wrong=bool(dialog.errors)))


def _dialog(kind: str, rule: AlertRule, fields: RuleFields, errors: Mapping[str, str] | None = None) -> AlertRuleDialog:
    name = text_of(rule.limits).name
    return AlertRuleDialog(kind, fields, name, rule.id, rule.shipped is not None, errors or {})


def _row(rule: AlertRule, lives: Lives, failing_since: datetime | None) -> AlertRuleRow:
    limits = rule.limits
    return AlertRuleRow(
        id=rule.id,
        name=text_of(limits).name,
        sentence=sentence(limits),
        states=[(severity.value.capitalize(), TONES[severity]) for severity in severities(limits)],
        select=rigs_text(limits.select),
        rigs=_count(limits.select, lives) if limits.select else "",
        enabled=limits.enabled,
        shipped=rule.shipped is not None,
        unreadable=why_unreadable(rule) if limits.enabled else "",
        failing_since=failing_since,
    )


def _count(select: str, lives: Lives) -> str:
    """Returns how many rigs match now; another version may have stored what this one does not understand."""
    try:
        return units.count_text(sum(len(chosen(live, select)) for live in lives.values()))
    except BadSelection:
        return units.UNKNOWN
