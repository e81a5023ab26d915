"""Pools and wallets, as the rest of the commander sees them."""

from commander.addresses import api, pages
from commander.addresses.actions import AddressActions
from commander.noun import Built, Core, Noun


def build(core: Core) -> Built:
    return Built(dependencies={"address_actions": AddressActions(core.database, core.playbooks_by_address)})


RIGHTS = """
/api/v1/addresses               GET view, POST own confirmed
/api/v1/addresses/{address_id}  PUT own confirmed, DELETE own confirmed
/templates                      GET view, POST own confirmed
/templates/{address_id}/edit    POST own confirmed
/templates/{address_id}/remove  POST own confirmed
"""
NOUN = Noun(handlers=[*api.HANDLERS, *pages.HANDLERS], sections=[pages.SECTION], build=build, rights=RIGHTS)
