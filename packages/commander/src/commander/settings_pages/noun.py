"""Settings, access and login, as the rest of the commander sees them."""

from commander.noun import Noun
from commander.settings_pages import access_api, access_page, pages, site_tokens, site_tokens_api

RIGHTS = """
/access                                       GET view, POST own confirmed
/access/password                              POST view
/access/recovery-codes                        POST view confirmed
/access/second-factor                         POST view confirmed
/access/second-factor/off                     POST view confirmed
/access/sessions/end-others                   POST view
/access/view-links                            POST own confirmed
/access/view-links/{link_id}/revoke           POST own
/access/{access_id}                           POST own confirmed
/access/{access_id}/remove                    POST own confirmed
/api/v1/accesses                              GET view, POST own confirmed
/api/v1/accesses/{access_id}                  PATCH own confirmed, DELETE own confirmed
/api/v1/confirmation                          POST view
/api/v1/site-tokens                           GET view, POST own
/api/v1/site-tokens/{site_id}                 DELETE own
/api/v1/site-tokens/{site_id}/rigs            DELETE own
/logout                                       POST view
/settings                                     GET view
/settings/api-keys                            POST own confirmed
/settings/api-keys/{key_id}/revoke            POST own
/settings/sessions/{session_id}/end           POST view
/settings/site-tokens                         POST own
/settings/site-tokens/{site_id}/remove-asics  POST own
/settings/site-tokens/{site_id}/revoke        POST own
?dialog=codes                                 GET view
?dialog=password                              GET view
?dialog=second-factor                         GET view
?dialog=second-factor-off                     GET view
"""
NOUN = Noun(
    handlers=[
        *site_tokens_api.HANDLERS,
        *access_api.HANDLERS,
        *pages.HANDLERS,
        *site_tokens.HANDLERS,
        *access_page.HANDLERS,
    ],
    sections=[pages.SECTION],
    rights=RIGHTS,
)
