"""Site tokens for people's scripts."""

from datetime import datetime
from typing import Annotated

import msgspec
from litestar import delete, get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import Body, FromPath

from commander.readings.asic import site_command
from commander.rigs.site_token_actions import SiteTokenActions
from commander.settings import Settings
from commander.web.api_docs import BEARER, problems
from commander.web.names import NewName

PATH = "/api/v1/site-tokens"


class SiteAnswer(msgspec.Struct, frozen=True, kw_only=True):
    id: int
    name: str
    created_at: datetime
    last_used_at: datetime | None


class SiteWithToken(msgspec.Struct, frozen=True, kw_only=True):
    """A site's token can be read here and never again; `connect_command` is what to type beside the ASIC sentry."""

    id: int
    name: str
    token: str
    commander_url: str
    connect_command: str


@get(PATH, responses=problems(401), tags=["asics"], security=BEARER)
async def list_site_tokens(site_token_actions: NamedDependency[SiteTokenActions]) -> list[SiteAnswer]:
    """All site tokens, by name; the tokens themselves are not kept."""
    return [
        SiteAnswer(id=site.id, name=site.name, created_at=site.created_at, last_used_at=site.last_used_at)
        for site in await site_token_actions.all()
    ]


@post(PATH, responses=problems(400, 401, 409, 413, 415, 422), tags=["asics"], security=BEARER)
async def create_site_token(
    data: Annotated[NewName, Body()],
    site_token_actions: NamedDependency[SiteTokenActions],
    settings: NamedDependency[Settings],
) -> SiteWithToken:
    """Make a token with which an ASIC sentry registers the ASICs that it finds."""
    site, token = await site_token_actions.create(data.name)
    return SiteWithToken(
        id=site.id,
        name=site.name,
        token=str(token),
        commander_url=settings.public_url,
        connect_command=site_command(settings.public_url, token),
    )


@delete(f"{PATH}/{{site_id:int}}", responses=problems(400, 401, 404), tags=["asics"], security=BEARER)
async def revoke_site_token(site_id: FromPath[int], site_token_actions: NamedDependency[SiteTokenActions]) -> None:
    """Make it worthless at once. The ASICs that were registered with it stay."""
    await site_token_actions.revoke(site_id)


class RemovedRigs(msgspec.Struct, frozen=True, kw_only=True):
    """The number of ASICs that were removed."""

    removed: int


@delete(
    f"{PATH}/{{site_id:int}}/rigs",
    status_code=200,
    responses=problems(400, 401, 404),
    tags=["asics"],
    security=BEARER,
)
async def remove_rigs_of_site(
    site_id: FromPath[int], site_token_actions: NamedDependency[SiteTokenActions]
) -> RemovedRigs:
    """Remove all ASICs that were registered with it, and their data. It may have been revoked before."""
    return RemovedRigs(removed=await site_token_actions.remove_rigs(site_id))


HANDLERS: list[HTTPRouteHandler] = [list_site_tokens, create_site_token, revoke_site_token, remove_rigs_of_site]
