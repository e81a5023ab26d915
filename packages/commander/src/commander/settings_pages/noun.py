"""Settings and login, as the rest of the commander sees them."""

from commander.noun import Noun
from commander.settings_pages import pages, site_tokens, site_tokens_api

NOUN = Noun(
    handlers=[*site_tokens_api.HANDLERS, *pages.HANDLERS, *site_tokens.HANDLERS],
    sections=[pages.SECTION],
)
