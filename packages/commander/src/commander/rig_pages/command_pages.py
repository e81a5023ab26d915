"""The way from ticked rows to the form that sends a command."""

from urllib.parse import urlencode

from litestar import post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.response import Redirect
from protocol.command_messages import CommandAction

from commander.rig_pages.chosen_rigs import chosen_rigs, selection_of_all
from commander.rig_pages.live_views import RigViews
from commander.rig_pages.pages import PageRequest

FORM = "/commands/new"


@post("/cpu-gpu/command", include_in_schema=False)
async def command_chosen(request: PageRequest, views: NamedDependency[RigViews]) -> Redirect:
    """Goes to the form with the rigs that are ticked; all that the page lists are named by their selection."""
    return await _to_form(request, views)


@post("/cpu-gpu/update", include_in_schema=False)
async def update_chosen(request: PageRequest, views: NamedDependency[RigViews]) -> Redirect:
    """As `command_chosen`, with the action that updates sentries."""
    return await _to_form(request, views, CommandAction.UPDATE_SENTRY)


HANDLERS: list[HTTPRouteHandler] = [command_chosen, update_chosen]


async def _to_form(request: PageRequest, views: RigViews, action: CommandAction | None = None) -> Redirect:
    form = await request.form()
    chosen = chosen_rigs(views, form)
    select = selection_of_all(form, chosen)
    asked = {"select": select} if select else {"rigs": ",".join(map(str, chosen.ids))}
    return Redirect(f"{FORM}?{urlencode(({'action': action} if action else {}) | asked)}", status_code=303)
