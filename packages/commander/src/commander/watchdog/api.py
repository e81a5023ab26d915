"""The watchdog for people's scripts: rules by selection, and what a rig's watchdog did."""

from datetime import datetime
from typing import Annotated

import msgspec
from litestar import Controller, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import Body, FromPath
from litestar.types import ControllerRouterHandler
from msgspec import Meta
from protocol.command_messages import LadderAct, LadderSettings

from commander.live.rigs import Lives
from commander.registry.kinds import RigKind
from commander.selections.choice import chosen
from commander.selections.domain import LINE_MAX_LENGTH
from commander.watchdog.actions import WatchdogActions
from commander.watchdog.domain import Rule
from commander.web.api_docs import BEARER, problems

_EVENTS = 100


class RuleBody(msgspec.Struct, frozen=True, kw_only=True):
    """Limits for the CPU/GPU rigs of a selection; an empty one means all. `maintenance_s` is ignored here."""

    select: Annotated[str, Meta(max_length=LINE_MAX_LENGTH)] = ""
    limits: LadderSettings


class RuleAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`rigs` is the number of rigs that the selection matches now. Of all rules that match a rig, the newest holds."""

    id: int
    select: str
    limits: LadderSettings
    rigs: int


class RulesAnswer(msgspec.Struct, frozen=True, kw_only=True):
    rules: list[RuleAnswer]


class EventAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`at` is by the commander's clock."""

    at: datetime
    act: LadderAct
    reason: str
    playbook_id: str | None
    device: str | None


class EventsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    events: list[EventAnswer]


class WatchdogRulesApi(Controller):
    """Rules of the watchdog's ladder."""

    path = "/api/v1/watchdog-rules"
    tags = ("watchdog",)
    security = BEARER

    @get(responses=problems(401))
    async def list_rules(
        self, watchdog_actions: NamedDependency[WatchdogActions], lives: NamedDependency[Lives]
    ) -> RulesAnswer:
        """All rules, oldest first."""
        return RulesAnswer(rules=[_answer(rule, lives) for rule in await watchdog_actions.rules()])

    @post(responses=problems(400, 401, 413, 415, 422))
    async def add_rule(
        self,
        data: Annotated[RuleBody, Body()],
        watchdog_actions: NamedDependency[WatchdogActions],
        lives: NamedDependency[Lives],
    ) -> RuleAnswer:
        """Add a rule. The sentries of its rigs get its limits at once."""
        return _answer(await watchdog_actions.add_rule(data.select, data.limits), lives)

    @put("/{rule_id:int}", responses=problems(400, 401, 404, 413, 415, 422))
    async def change_rule(
        self,
        rule_id: FromPath[int],
        data: Annotated[RuleBody, Body()],
        watchdog_actions: NamedDependency[WatchdogActions],
        lives: NamedDependency[Lives],
    ) -> RuleAnswer:
        """Change a rule."""
        return _answer(await watchdog_actions.change_rule(rule_id, data.select, data.limits), lives)

    @delete("/{rule_id:int}", responses=problems(400, 401, 404))
    async def remove_rule(self, rule_id: FromPath[int], watchdog_actions: NamedDependency[WatchdogActions]) -> None:
        """Remove a rule. Its rigs get the limits of the next rule that matches, or the usual ones."""
        await watchdog_actions.remove_rule(rule_id)


@get(
    "/api/v1/cpu-gpu-rigs/{rig_id:int}/watchdog-events",
    responses=problems(400, 401, 404),
    tags=["watchdog"],
    security=BEARER,
)
async def list_events(rig_id: FromPath[int], watchdog_actions: NamedDependency[WatchdogActions]) -> EventsAnswer:
    """Acts of a rig's watchdog, newest first, 100 at most."""
    rows = await watchdog_actions.events_of(rig_id, _EVENTS)
    return EventsAnswer(
        events=[
            EventAnswer(at=at, act=each.act, reason=each.reason, playbook_id=each.playbook_id, device=each.device)
            for at, each in rows
        ]
    )


def _answer(rule: Rule, lives: Lives) -> RuleAnswer:
    rigs = len(chosen(lives[RigKind.CPU_GPU], rule.select))
    return RuleAnswer(id=rule.id, select=rule.select, limits=rule.limits, rigs=rigs)


HANDLERS: list[ControllerRouterHandler] = [WatchdogRulesApi, list_events]
