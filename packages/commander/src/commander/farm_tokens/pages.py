"""The page of all farm tokens."""

from contextlib import suppress

from litestar import get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect

from commander.farm_tokens.actions import FarmTokenActions
from commander.farm_tokens.domain import FarmTokenNotFound
from commander.farm_tokens.views import FarmTokenCard, list_fragments, row_of
from commander.live.source import LiveSource
from commander.registry.sections import RIGS
from commander.web.ids import id_in
from commander.web.shell import Html, Page, page

PATH = "/cpu-gpu/farm-tokens"


@get(PATH, include_in_schema=False)
async def show_farm_tokens(
    farm_token_actions: NamedDependency[FarmTokenActions],
    farm_tokens_live: NamedDependency[LiveSource],
    revoke: FromQuery[str] = "",
) -> Html:
    return await farm_tokens_page(farm_token_actions, farm_tokens_live, revoking=id_in(revoke))


@post(PATH + "/{farm_token_id:int}/revoke", include_in_schema=False)
async def revoke(farm_token_id: FromPath[int], farm_token_actions: NamedDependency[FarmTokenActions]) -> Redirect:
    with suppress(FarmTokenNotFound):  # somebody else was faster
        await farm_token_actions.revoke(farm_token_id)
    return Redirect(PATH, status_code=303)


HANDLERS: list[HTTPRouteHandler] = [show_farm_tokens, revoke]


async def farm_tokens_page(
    actions: FarmTokenActions, live: LiveSource, *, card: FarmTokenCard | None = None, revoking: int | None = None
) -> Html:
    """`card` has a token that was made just now; `revoking` is the one that a dialog asks about."""
    stamp, now, tokens = live.stamp(), await actions.now(), await actions.all()
    asked = next((row_of(each, now) for each in tokens if each.id == revoking), None)
    about = Page(title="Farm tokens", section=RIGS, live="/live?view=farm-tokens", seq=stamp)
    if card:  # it is not live: a page that is loaded again would lose the token
        about = Page(title="Farm tokens", section=RIGS, url=PATH)
    table = list_fragments(tokens, now)["farm-tokens"]
    return page("farm_tokens/page.html", about, card=card, table=table, revoking=asked)
