"""Incidents, as the rest of the commander sees them."""

from commander.incidents import api
from commander.incidents.actions import IncidentActions
from commander.incidents.source import IncidentSource
from commander.noun import Built, Core, Noun


def build(core: Core) -> Built:
    source = IncidentSource(core.database, core.channels, core.cluster)
    return Built(
        dependencies={"incident_source": source, "incident_actions": IncidentActions(core.database, source)},
        on_start=source.remember,
    )


NOUN = Noun(handlers=[*api.HANDLERS], build=build)
