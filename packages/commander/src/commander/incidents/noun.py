"""Incidents, as the rest of the commander sees them."""

from datetime import UTC, datetime

from commander.incidents import api, pages
from commander.incidents.actions import IncidentActions
from commander.incidents.source import IncidentSource
from commander.incidents.views import check_incident, check_list, incident_fragments, list_fragments
from commander.live.source import Query
from commander.noun import Built, Core, Noun
from commander.web.shell import Fragments


def build(core: Core) -> Built:
    source = IncidentSource(core.database, core.channels, core.badge, core.cluster)

    async def render_list(query: Query) -> Fragments:
        return await list_fragments(core.database, query, now=datetime.now(UTC))

    async def render_incident(query: Query) -> Fragments:
        return await incident_fragments(core.database, int(query["incident"]), now=datetime.now(UTC))

    return Built(
        live_views=[
            source.view("incidents", render_list, check=check_list),
            source.view("incident", render_incident, check=check_incident),
        ],
        dependencies={"incident_source": source, "incident_actions": IncidentActions(core.database, source)},
        on_start=source.remember,
    )


NOUN = Noun(handlers=[*api.HANDLERS, *pages.HANDLERS], sections=[pages.SECTION], build=build)
