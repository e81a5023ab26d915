"""The overview, as the rest of the commander sees it."""

from commander.noun import Built, Core, Noun
from commander.overview import pages
from commander.overview.source import OverviewSource


def build(core: Core) -> Built:
    overview = OverviewSource(core.database, core.lives, core.badge, core.cluster)
    return Built(dependencies={"overview": overview}, live_views=[overview.view("overview", overview.render)])


RIGHTS = """
/               GET view
?view=overview  WS view
"""
NOUN = Noun(handlers=[pages.show], sections=[pages.SECTION], build=build, rights=RIGHTS)
