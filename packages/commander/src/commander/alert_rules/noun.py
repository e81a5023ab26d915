"""Alert rules, as the rest of the commander sees them. Their objects are made by the noun of incidents."""

from commander.alert_rules import api, pages
from commander.noun import Noun

NOUN = Noun(handlers=[*api.HANDLERS, *pages.HANDLERS])
