"""The dialog “Many rigs” on the index page of CPU/GPU rigs: it makes a farm token."""

from litestar import post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import URLEncodedBody

from commander.accounts.domain import author_of
from commander.farm_tokens.actions import FarmTokenActions
from commander.farm_tokens.domain import BadFarmToken
from commander.farm_tokens.forms import form_of, wanted
from commander.farm_tokens.pages import PATH, farm_tokens_page
from commander.farm_tokens.views import card_of
from commander.live.source import LiveSource
from commander.registry.kinds import PATHS, RigKind
from commander.rig_pages.farm_token_dialog import farm_token_dialog
from commander.rig_pages.live_views import RigViews
from commander.rig_pages.pages import PageRequest, index_page
from commander.settings import Settings
from commander.tags.domain import BadTag, TooManyTags
from commander.tls import CertificateFacts
from commander.web.shell import Html
from commander.wheels.line import installing_of
from commander.wheels.store import WheelStore


@post(PATH, status_code=200, include_in_schema=False)
async def make(
    data: URLEncodedBody[dict[str, str]],
    request: PageRequest,
    views: NamedDependency[RigViews],
    farm_token_actions: NamedDependency[FarmTokenActions],
    farm_tokens_live: NamedDependency[LiveSource],
    settings: NamedDependency[Settings],
    certificate: NamedDependency[CertificateFacts | None],
    wheel_store: NamedDependency[WheelStore],
) -> Html:
    """Makes the farm token and shows it, once."""
    form = form_of(data)
    try:
        asked = wanted(form)
        made, token = await farm_token_actions.make(
            name=form.name,
            name_pattern=form.name_pattern,
            tags=asked.tags,
            approve_by_hand=bool(form.approve_by_hand),
            uses=asked.uses,
            valid_for=asked.valid_for,
            made_by=author_of(request.user),
        )
    except BadFarmToken as error:
        errors = {error.field: str(error)}
    except (BadTag, TooManyTags) as error:
        errors = {"tags": str(error)}
    else:
        card = card_of(made, token, installing_of(settings, certificate, wheel_store))
        return await farm_tokens_page(farm_token_actions, farm_tokens_live, card=card)
    dialog = await farm_token_dialog(farm_token_actions, PATHS[RigKind.CPU_GPU], form, errors)
    return index_page(views, views.query({}), dialog)


HANDLERS: list[HTTPRouteHandler] = [make]
