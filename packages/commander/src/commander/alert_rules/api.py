"""Alert rules for people's scripts."""

from typing import Annotated

import msgspec
from litestar import Controller, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import Body, FromPath
from litestar.types import ControllerRouterHandler
from msgspec import UNSET, Meta, UnsetType

from commander.alert_rules.actions import AlertRuleActions, checked_rule
from commander.alert_rules.allowed_pools import MAX_LENGTH
from commander.alert_rules.domain import AlertRule, RuleLimits, Sensor, limits_at_first
from commander.alert_rules.preview import preview
from commander.db import Database
from commander.live.rigs import Lives
from commander.readings.severity import Severity
from commander.selections.domain import LINE_MAX_LENGTH
from commander.web.api_docs import BEARER, problems

Bound = Annotated[float, Meta(ge=0, le=1e6)]
Wait = Annotated[float, Meta(ge=0, le=86_400)]


class AlertRuleBody(msgspec.Struct, frozen=True, kw_only=True):
    """A rule for the rigs of a selection; an empty one means all.

    `rule` is the name of a shipped rule, with other limits, or a comparison of your own such as `power<100`.
    `severity` is that of a rule without limits. Of rules about the same thing, the newest that matches a rig counts.
    `allowed` are the pools that ASICs may mine to, for the rule wallet: `pool.example:3333, farm@other.example`.
    A change that leaves `sensor`, `severity` or `allowed` out keeps it; a new rule has the severity of the shipped one.
    """

    rule: Annotated[str, Meta(max_length=128)]
    sensor: Sensor | UnsetType | None = UNSET
    enabled: bool = True
    select: Annotated[str, Meta(max_length=LINE_MAX_LENGTH)] = ""
    warning: Bound | None = None
    critical: Bound | None = None
    severity: Severity | UnsetType = UNSET
    for_s: Wait = 300.0
    clear_for_s: Wait = 300.0
    allowed: Annotated[str, Meta(max_length=MAX_LENGTH)] | UnsetType = UNSET

    def limits(self, before: RuleLimits | None = None) -> RuleLimits:
        """Returns the rule; `before` is the stored one that it changes."""
        kept = limits_at_first(self.rule)
        if before:
            kept = before if before.rule == self.rule else msgspec.structs.replace(kept, severity=before.severity)
        given = {name: value for name, value in msgspec.structs.asdict(self).items() if value is not UNSET}
        return msgspec.structs.replace(kept, **given)


class AlertRuleAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """An alert rule. A `shipped` rule can be changed and switched off, but not removed."""

    id: int
    shipped: bool
    rule: str
    sensor: Sensor | None
    enabled: bool
    select: str
    warning: float | None
    critical: float | None
    severity: Severity
    for_s: float
    clear_for_s: float
    allowed: str


class AlertRulesAnswer(msgspec.Struct, frozen=True, kw_only=True):
    rules: list[AlertRuleAnswer]


class PreviewRig(msgspec.Struct, frozen=True, kw_only=True):
    """A rig for which the rule would have fired."""

    name: str
    firings: int


class PreviewAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The number of times that a rule would have fired in the last 7 days; the rigs with most firings first.

    `rigs_matching` is the number of rigs that the selection matches now. The first `rigs_looked_at` of them, 300 at
    most, were evaluated.
    """

    firings: int
    rigs: list[PreviewRig]
    rigs_matching: int
    rigs_looked_at: int


class AlertRulesApi(Controller):
    """Alert rules: those that are shipped, and your own."""

    path = "/api/v1/alert-rules"
    tags = ("alert rules",)
    security = BEARER

    @get(responses=problems(401))
    async def list_alert_rules(self, alert_rule_actions: NamedDependency[AlertRuleActions]) -> AlertRulesAnswer:
        """All rules, oldest first."""
        return AlertRulesAnswer(rules=[_answer(rule) for rule in await alert_rule_actions.rules()])

    @post(responses=problems(400, 401, 413, 415, 422))
    async def add_alert_rule(
        self, data: Annotated[AlertRuleBody, Body()], alert_rule_actions: NamedDependency[AlertRuleActions]
    ) -> AlertRuleAnswer:
        """Add a rule of your own, or other limits for some rigs."""
        return _answer(await alert_rule_actions.add(data.limits()))

    @post("/preview", status_code=200, responses=problems(400, 401, 413, 415, 422))
    async def preview_alert_rule(
        self,
        data: Annotated[AlertRuleBody, Body()],
        database: NamedDependency[Database],
        lives: NamedDependency[Lives],
    ) -> PreviewAnswer:
        """Count how often a rule would have fired in the last 7 days; nothing is changed."""
        result = await preview(database, lives, checked_rule(data.limits()), now=await database.now())
        return PreviewAnswer(
            firings=result.firings,
            rigs=[PreviewRig(name=each.name, firings=each.firings) for each in result.rigs],
            rigs_matching=result.matching,
            rigs_looked_at=result.looked_at,
        )

    @put("/{alert_rule_id:int}", responses=problems(400, 401, 404, 413, 415, 422))
    async def change_alert_rule(
        self,
        alert_rule_id: FromPath[int],
        data: Annotated[AlertRuleBody, Body()],
        alert_rule_actions: NamedDependency[AlertRuleActions],
    ) -> AlertRuleAnswer:
        """Change a rule, or switch it off."""
        before = await alert_rule_actions.find(alert_rule_id)
        return _answer(await alert_rule_actions.change(alert_rule_id, data.limits(before.limits)))

    @delete("/{alert_rule_id:int}", responses=problems(400, 401, 404, 409))
    async def remove_alert_rule(
        self, alert_rule_id: FromPath[int], alert_rule_actions: NamedDependency[AlertRuleActions]
    ) -> None:
        """Remove a rule that is not shipped."""
        await alert_rule_actions.remove(alert_rule_id)


def _answer(rule: AlertRule) -> AlertRuleAnswer:
    return AlertRuleAnswer(id=rule.id, shipped=rule.shipped is not None, **msgspec.structs.asdict(rule.limits))


HANDLERS: list[ControllerRouterHandler] = [AlertRulesApi]
