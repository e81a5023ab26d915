"""Settings, access and login, as the rest of the commander sees them."""

from commander.noun import Noun
from commander.settings_pages import access_api, access_page, pages, site_tokens, site_tokens_api

NOUN = Noun(
    handlers=[
        *site_tokens_api.HANDLERS,
        *access_api.HANDLERS,
        *pages.HANDLERS,
        *site_tokens.HANDLERS,
        *access_page.HANDLERS,
    ],
    sections=[pages.SECTION],
)
