"""Saved views on the index pages."""

from urllib.parse import urlencode

import msgspec
from litestar import post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect

from commander.registry.names import BadName
from commander.rig_pages.chosen_rigs import page_query
from commander.rig_pages.dialog import RigDialog
from commander.rig_pages.live_views import RigViews
from commander.rig_pages.pages import index_page
from commander.saved_views.actions import SavedViewActions, TooManyViews
from commander.web.shell import Html


class ViewForm(msgspec.Struct, frozen=True):
    """A name for the page with the query string `back`."""

    name: str = ""
    back: str = ""


@post("/views", include_in_schema=False)
async def save(
    data: URLEncodedBody[ViewForm], views: NamedDependency[RigViews], saved_views: NamedDependency[SavedViewActions]
) -> Html | Redirect:
    """Saves how the page is looked at: selection, filter, order and columns, from the first page on."""
    query = page_query(views, data.back).but()
    try:
        await saved_views.save(views.display.kind, data.name, urlencode(query.parameters()))
    except (BadName, TooManyViews) as error:
        dialog = RigDialog("view", views.display.path, query.address(), value=data.name, error=str(error))
        return index_page(views, query, dialog)
    return Redirect(query.address(), status_code=303)


@post("/views/{view_id:int}/remove", include_in_schema=False)
async def remove(
    view_id: FromPath[int],
    data: URLEncodedBody[ViewForm],
    views: NamedDependency[RigViews],
    saved_views: NamedDependency[SavedViewActions],
) -> Redirect:
    await saved_views.remove(views.display.kind, view_id)
    return Redirect(page_query(views, data.back).address(), status_code=303)


HANDLERS: list[HTTPRouteHandler] = [save, remove]
