"""Mining software, as the rest of the commander sees it."""

from commander.noun import Built, Core, Noun
from commander.software import api, pages
from commander.software.actions import SoftwareActions


def build(core: Core) -> Built:
    actions = SoftwareActions(core.database, core.playbooks_by_software)
    return Built(dependencies={"software_actions": actions}, on_start=actions.stock)


RIGHTS = """
/api/v1/mining-software                GET view, POST own
/api/v1/mining-software/{software_id}  PUT own, DELETE own
/mining-software                       GET view, POST own
/mining-software/new                   GET own
/mining-software/{software_id}         GET own, POST own
/mining-software/{software_id}/remove  POST own
"""
NOUN = Noun(handlers=[*api.HANDLERS, *pages.HANDLERS], sections=[pages.SECTION], build=build, rights=RIGHTS)
