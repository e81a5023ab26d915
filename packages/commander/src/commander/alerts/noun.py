"""Alerts, as the rest of the commander sees them."""

from commander.alerts import pages
from commander.notifications.alerts_page import SECTION
from commander.noun import Built, Core, Noun


def build(core: Core) -> Built:
    return Built(dependencies={"alerts_page": core.alerts}, live_views=[core.alerts.live_view()])


NOUN = Noun(handlers=pages.HANDLERS, sections=[SECTION], build=build)
