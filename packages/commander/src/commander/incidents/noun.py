"""Incidents, as the rest of the commander sees them. The objects of alert rules are made here, for the engine."""

from datetime import UTC, datetime, timedelta
from functools import partial

from commander.alert_rules.actions import AlertRuleActions
from commander.alert_rules.learning import EVERY as LEARN_EVERY
from commander.alert_rules.learning import learn
from commander.alert_rules.pages import rules_part
from commander.alert_rules.source import AlertRules
from commander.audit.actor import Actor
from commander.incidents import api, condition_api, pages
from commander.incidents.actions import MUTE_MINUTES, IncidentActions
from commander.incidents.domain import IncidentClosed, IncidentNotFound
from commander.incidents.given_up import RigsGivenUp
from commander.incidents.retention import forget_old
from commander.incidents.round import Engine
from commander.incidents.running import Rounds
from commander.incidents.self_checks import SelfChecks
from commander.incidents.source import IncidentSource
from commander.incidents.views import check_incident, check_list, incident_fragments, list_fragments
from commander.incidents.writer import IncidentWriter
from commander.jobs.loop import Job
from commander.live.source import LiveView, Query
from commander.maintenance.rigs_now import RigsInMaintenance
from commander.notifications.outbox import Button, OnButton
from commander.noun import Built, Core, Noun
from commander.registry.kinds import RigKind
from commander.web.shell import Fragments


def build(core: Core) -> Built:
    source = IncidentSource(core.database, core.channels, core.badge, core.cluster, core.lives)
    actions = IncidentActions(core.database, source, core.outbox.acknowledged)
    rules = AlertRules(core.database, core.cluster)

    def rules_changed() -> None:
        rules.changed()
        core.alerts.changed()

    rule_actions = AlertRuleActions(core.database, rules_changed)
    core.alerts.add(rules_part(rule_actions, core.lives))
    core.outbox.on_button = _buttons(actions)

    async def on_start() -> None:
        await rule_actions.add_shipped()
        await source.remember()

    return Built(
        dependencies={
            "incident_source": source,
            "incident_actions": actions,
            "alert_rules": rules,
            "alert_rule_actions": rule_actions,
        },
        jobs={
            "forget-incidents": Job(timedelta(hours=6), partial(forget_old, core.database)),
            "learn-usual-values": Job(LEARN_EVERY, partial(learn, core.database, core.lives)),
        },
        live_views=_live_views(core, source),
        on_start=on_start,
        tasks=[_rounds(core, _engine(core, source, rules)).run],
    )


def _rounds(core: Core, engine: Engine) -> Rounds:
    return Rounds(core.database, engine, core.leadership, RigsGivenUp(core.database, core.lives[RigKind.CPU_GPU]))


def _engine(core: Core, source: IncidentSource, rules: AlertRules) -> Engine:
    return Engine(
        core.database,
        core.lives,
        rules,
        IncidentWriter(core.lives, core.outbox, group_wait_s=core.settings.incident_group_wait_s),
        source,
        RigsInMaintenance(core.database, core.lives),
        core.leadership,
        problems=SelfChecks(core.database, core.settings).problems,
        on_failing=core.alerts.changed,
    )


def _live_views(core: Core, source: IncidentSource) -> list[LiveView]:
    async def render_list(query: Query) -> Fragments:
        return await list_fragments(core.database, query, now=datetime.now(UTC))

    async def render_incident(query: Query) -> Fragments:
        return await incident_fragments(core.database, int(query["incident"]), now=datetime.now(UTC))

    return [
        source.view("incidents", render_list, check=check_list),
        source.view("incident", render_incident, check=check_incident),
    ]


def _buttons(actions: IncidentActions) -> OnButton:
    async def on_button(incident_id: int, button: Button, who: str) -> str:
        """Does what a button under a message says, and returns the answer for who has pressed it."""
        actor = Actor(who)
        try:
            if button == "mute":
                await actions.mute(incident_id, MUTE_MINUTES, actor=actor)
                return "Muted for 2 h."
            await actions.acknowledge(incident_id, by=who, actor=actor)
        except (IncidentNotFound, IncidentClosed) as error:
            return str(error)
        return "Acknowledged."

    return on_button


RIGHTS = """
/api/v1/asic-rigs/{rig_id}/conditions        GET view
/api/v1/cpu-gpu-rigs/{rig_id}/conditions     GET view
/api/v1/incidents                            GET view
/api/v1/incidents/{incident_id}              GET view
/api/v1/incidents/{incident_id}/acknowledge  POST operate
/api/v1/incidents/{incident_id}/mute         POST operate
/api/v1/incidents/{incident_id}/unmute       POST operate
/incidents                                   GET view
/incidents/{incident_id}                     GET view
/incidents/{incident_id}/acknowledge         POST operate
/incidents/{incident_id}/mute                POST operate
/incidents/{incident_id}/unmute              POST operate
?view=incident                               WS view
?view=incidents                              WS view
"""
NOUN = Noun(
    handlers=[*api.HANDLERS, *condition_api.HANDLERS, *pages.HANDLERS],
    sections=[pages.SECTION],
    build=build,
    rights=RIGHTS,
)
