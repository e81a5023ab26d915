"""Site tokens on the settings page."""

import msgspec
from litestar import post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect

from commander.accounts.actions import AccountActions
from commander.accounts.domain import BadKeyName, KeyNameTaken
from commander.accounts.views import CreatedSite
from commander.readings.asic import site_command
from commander.rigs.site_token_actions import SiteTokenActions
from commander.settings import Settings
from commander.settings_pages.pages import PageRequest, settings_page
from commander.tls import CertificateFacts
from commander.web.shell import Html
from commander.wheels.line import installing_of, linux_line
from commander.wheels.store import WheelStore


class SiteForm(msgspec.Struct, frozen=True):
    site_name: str = ""


@post("/settings/site-tokens", status_code=200, include_in_schema=False)
async def create_site(
    data: URLEncodedBody[SiteForm],
    request: PageRequest,
    account_actions: NamedDependency[AccountActions],
    site_token_actions: NamedDependency[SiteTokenActions],
    settings: NamedDependency[Settings],
    certificate: NamedDependency[CertificateFacts | None],
    wheel_store: NamedDependency[WheelStore],
) -> Html:
    name = data.site_name
    try:
        site, token = await site_token_actions.create(name)
    except (BadKeyName, KeyNameTaken) as error:
        return await settings_page(
            request, account_actions, site_token_actions, settings, certificate, site_name=name, site_error=str(error)
        )
    line = linux_line(installing_of(settings, certificate, wheel_store), "asic", str(token))
    created = CreatedSite(site.name, str(token), site_command(settings.public_url), line)
    return await settings_page(
        request, account_actions, site_token_actions, settings, certificate, created_site=created
    )


@post("/settings/site-tokens/{site_id:int}/revoke", include_in_schema=False)
async def revoke_site(site_id: FromPath[int], site_token_actions: NamedDependency[SiteTokenActions]) -> Redirect:
    await site_token_actions.revoke(site_id)
    return Redirect("/settings", status_code=303)


@post("/settings/site-tokens/{site_id:int}/remove-asics", include_in_schema=False)
async def remove_asics_of_site(
    site_id: FromPath[int], site_token_actions: NamedDependency[SiteTokenActions]
) -> Redirect:
    await site_token_actions.remove_rigs(site_id)
    return Redirect("/settings", status_code=303)


HANDLERS: list[HTTPRouteHandler] = [create_site, revoke_site, remove_asics_of_site]
