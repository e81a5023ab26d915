"""Tags, as the rest of the commander sees them."""

from commander.noun import Noun
from commander.tags import api, pages

NOUN = Noun(handlers=[*api.HANDLERS, *pages.HANDLERS])
