"""The form that approves rigs."""

from litestar import post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import URLEncodedBody
from litestar.response import Redirect

from commander.db import Database
from commander.registry.kinds import PATHS, RigKind
from commander.rig_pages.live_views import RigViews
from commander.rigs.approval import approve_rigs
from commander.selections.ranges import ids_in_ranges
from commander.web.ids import id_in

PATH = "/cpu-gpu/approve"


@post(PATH, include_in_schema=False)
async def approve(
    data: URLEncodedBody[dict[str, str]], views: NamedDependency[RigViews], database: NamedDependency[Database]
) -> Redirect:
    """Approves the rigs that the page has shown. `back` is the rig whose page the form stands on, if it does."""
    rig_ids = ids_in_ranges(data.get("rigs", ""), views.index.unapproved)
    await approve_rigs(database, views.live, rig_ids)
    path, back = PATHS[RigKind.CPU_GPU], id_in(data.get("back", ""))
    return Redirect(f"{path}/{back}" if back else path, status_code=303)


HANDLERS: list[HTTPRouteHandler] = [approve]
