"""The page of a view link, for a wall screen, and its live channel. The link alone opens them, without a log-in.

The address has the token, so nothing may pass it on: the page has no links and no referrer, no cache keeps it, and its
WebSocket has the same address. So the token is not in the page either.
"""

import asyncio
from functools import partial
from typing import Any

from litestar import Request, get, websocket
from litestar.connection import ASGIConnection
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler
from sqlalchemy.exc import DBAPIError

from commander.accounts.auth import OPEN
from commander.accounts.domain import TooManyTries
from commander.accounts.known_senders import sender_is_known
from commander.live import open_sockets as limits
from commander.live.open_sockets import OpenSockets, TooManySockets
from commander.live.sockets import SESSION_ENDED, TOO_MANY_SOCKETS, AnySocket, hang_up, pump
from commander.problems import DatabaseProblem
from commander.rig_pages.columns import column_classes
from commander.rig_pages.listing import IndexQuery, shown
from commander.rig_pages.live_views import RigViews
from commander.rig_pages.navigation import columns, extra_headings
from commander.rig_pages.wall import Walls, WallView, wall_key, wall_parts, wall_query, without_links
from commander.saved_views.domain import LINKS_AT, LinkExpired, NoSuchLink, ViewLink
from commander.saved_views.links import ViewLinks
from commander.web.errors import extra_headers, problem_of
from commander.web.role_filter import frame_for
from commander.web.shell import Html, Page, page, plain_page

PATH = f"{LINKS_AT}/{{token:str}}"
HERE = "?live"  # the page's WebSocket has the page's own address
SECRET_ADDRESS = {"Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex"}
REFUSED = (NoSuchLink, LinkExpired, TooManyTries)


@get(PATH, opt={OPEN: True}, include_in_schema=False)
async def show_wall(
    token: FromPath[str],
    request: Request[Any, Any, Any],
    view_links: NamedDependency[ViewLinks],
    walls: NamedDependency[Walls],
) -> Html:
    try:
        link, query = await _opened(token, request, view_links, walls)
    except (*REFUSED, DatabaseProblem, DBAPIError) as error:
        return refused_page(error)
    request.scope["user"] = link  # the page is cut down to its role
    return wall_page(walls[link.rig_kind], link, query)


@websocket(PATH, opt={OPEN: True})
async def wall_socket(
    token: FromPath[str],
    socket: AnySocket,
    view_links: NamedDependency[ViewLinks],
    walls: NamedDependency[Walls],
    open_sockets: NamedDependency[OpenSockets],
) -> None:
    """Frames for one open page: `?seq=<stamp of the page>`. The link says which view it is."""
    try:
        link, query = await _opened(token, socket, view_links, walls)
        with open_sockets.counted(link.owner, most=limits.OF_LINK):
            await _send_frames(socket, link, query, walls[link.rig_kind], view_links)
    except (TooManySockets, TooManyTries) as error:  # the page connects again by itself
        await hang_up(socket, TOO_MANY_SOCKETS, str(error))
    except REFUSED as error:
        await hang_up(socket, SESSION_ENDED, str(error))


async def _send_frames(
    socket: AnySocket, link: ViewLink, query: IndexQuery, views: RigViews, view_links: ViewLinks
) -> None:
    await socket.accept()
    frames, key = views.live.frames, wall_key(query)
    viewer = frames.join(key, partial(WallView, views, query), session=link.owner, stamp=socket.query_params.get("seq"))
    try:
        async with asyncio.TaskGroup() as group:
            noting = group.create_task(view_links.keep_noting(link))
            await pump(socket, viewer.outbox, cut=partial(frame_for, link.role))
            noting.cancel()
    finally:
        frames.leave(key, viewer)


async def _opened(
    token: str, connection: ASGIConnection[Any, Any, Any, Any], view_links: ViewLinks, walls: Walls
) -> tuple[ViewLink, IndexQuery]:
    """Returns the link and what it shows. Raises one of `REFUSED`."""
    link = await view_links.opened(token, address=connection.client.host if connection.client else "")
    sender_is_known(connection.scope)
    try:
        return link, wall_query(walls[link.rig_kind], link)
    except ValueError:
        raise NoSuchLink("This commander can't read the saved view. Save the view again.") from None


def wall_page(views: RigViews, link: ViewLink, query: IndexQuery) -> Html:
    display = views.display
    order = views.orders.fresh(query)
    query, places = shown(order, query)
    rows = views.rows_of(query)
    html = page(
        "rig_pages/wall.html",
        Page(title=link.name, section=None, live=HERE, seq=views.live.frames.stamp()),
        display=display,
        large={
            place: [without_links(rows.of(rig_id).html).encode() for rig_id in ids] for place, ids in places.items()
        },
        wall_parts=wall_parts(views, order, query),
        columns=[*columns(query, display.headings), *extra_headings(query)],
        column_classes=column_classes(query.columns, display.kind),
    )
    html.headers.update(SECRET_ADDRESS)
    return html


def refused_page(error: Exception) -> Html:
    """Returns a plain page that says why the link shows nothing.

    If that can pass, the browser loads it again by itself: a wall screen has no keyboard.
    """
    problem, retry_after_s = problem_of(error)
    html = plain_page(problem.status, problem.title, problem.detail)
    html.headers.update(SECRET_ADDRESS | extra_headers(error, retry_after_s))
    if retry_after_s:
        html.headers["Refresh"] = str(retry_after_s)
    return html


HANDLERS: list[ControllerRouterHandler] = [show_wall, wall_socket]
