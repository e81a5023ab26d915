"""The two kinds of WebSocket: pages get HTML frames, scripts get the channels' messages as JSON."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager, suppress
from functools import partial
from typing import Any

from litestar import WebSocket, websocket
from litestar.di import NamedDependency
from litestar.exceptions import WebSocketDisconnect

from commander.accounts.actions import AccountActions
from commander.accounts.auth import OPEN, sender
from commander.accounts.domain import (
    AccountError,
    ApiKey,
    ProxySession,
    RoleTooLow,
    User,
    check_role,
    socket_owner,
    socket_user,
)
from commander.accounts.route_roles import LIVE, SOCKET, least_role
from commander.live import open_sockets as limits
from commander.live.badge import Badge
from commander.live.channels import Channels, is_channel
from commander.live.open_sockets import OpenSockets, TooManySockets
from commander.live.source import LiveViews
from commander.web.role_filter import frame_for, json_for

SESSION_ENDED = 4401
FORBIDDEN = 4403
NOT_SPOKEN_HERE = 4404
TOO_MANY_SOCKETS = 4429
ASK_THE_PROXY = 1012  # the page connects again, and the proxy says who it is
SEND_TIMEOUT_S = 20
BELIEVED_S = 600.0  # a WebSocket of a person whom a proxy has logged in closes then, and the proxy decides again

Outbox = asyncio.Queue[str | None]


AnySocket = WebSocket[Any, Any, Any]


@websocket(LIVE, opt={OPEN: True})
async def page_socket(
    socket: AnySocket,
    account_actions: NamedDependency[AccountActions],
    live_views: NamedDependency[LiveViews],
    badge: NamedDependency[Badge],
    open_sockets: NamedDependency[OpenSockets],
) -> None:
    """Frames for one open page: `?view=…&seq=<stamp of the page>&badge=<open incidents that it shows>`."""
    async with _counted_user(socket, account_actions, open_sockets) as user:
        if user is None:
            return
        query = {name: str(value) for name, value in socket.query_params.items()}
        shown = query.pop("badge", None)
        try:
            frames, key, make_view = live_views.find(query)
        except ValueError as error:
            await hang_up(socket, NOT_SPOKEN_HERE, str(error))
            return
        await socket.accept()
        viewer = frames.join(key, make_view, session=socket_owner(user), stamp=query.get("seq"))
        try:
            with badge.watched(shown) as news:
                await pump(socket, viewer.outbox, news, cut=partial(frame_for, user.role), at_most_s=longest_s(user))
        finally:
            frames.leave(key, viewer)


@websocket("/api/v1/events", opt={OPEN: True})
async def events_socket(
    socket: AnySocket,
    channels: NamedDependency[Channels],
    account_actions: NamedDependency[AccountActions],
    open_sockets: NamedDependency[OpenSockets],
) -> None:
    """The channels' messages, one JSON text each: `?channels=a,b`.

    It subscribes before it accepts: a client misses no message from the handshake on.
    """
    async with _counted_user(socket, account_actions, open_sockets) as user:
        if user is None:
            return
        names = [name for name in socket.query_params.get("channels", "").split(",") if name]
        if wrong := [name for name in names if not is_channel(name)]:
            await hang_up(socket, NOT_SPOKEN_HERE, f"no channel is called {wrong[0]}")
            return
        with channels.subscribed(names, session=socket_owner(user)) as subscription:
            await socket.accept()
            await pump(socket, subscription.messages, cut=partial(json_for, user.role), at_most_s=longest_s(user))


@asynccontextmanager
async def _counted_user(
    socket: AnySocket, account_actions: AccountActions, open_sockets: OpenSockets
) -> AsyncIterator[User | None]:
    """Gives who opens the socket, which counts as open as long as this lasts. Closes it and gives None if they may not.

    The socket counts as soon as it is allowed: sockets that open at the same time can't exceed the limit.
    """
    user: User | None = None
    with ExitStack() as counted:
        try:
            found = await sender(account_actions, socket)
            if found is None:
                await hang_up(socket, SESSION_ENDED, "not signed in")
            else:
                check_role(found, least_role(SOCKET, socket.url.path, socket.url.query))
                most = limits.OF_KEY if isinstance(found, ApiKey) else limits.OF_ACCESS
                counted.enter_context(open_sockets.counted(socket_user(found), most=most))
                user = found
        except TooManySockets as error:
            await hang_up(socket, TOO_MANY_SOCKETS, str(error))
        except RoleTooLow as error:
            await hang_up(socket, FORBIDDEN, str(error))
        except AccountError as error:
            await hang_up(socket, SESSION_ENDED, str(error))
        yield user


async def hang_up(socket: AnySocket, code: int, reason: str) -> None:
    """Accepts, then closes with a code: a browser gives its page no reason for a refused handshake."""
    await socket.accept()
    await socket.close(code, reason[:100])


def longest_s(user: User) -> float | None:
    """Returns for how long a WebSocket of this sender stays open; None: as long as its session or key is valid."""
    return BELIEVED_S if isinstance(user, ProxySession) else None


async def pump(socket: AnySocket, *outboxes: Outbox, cut: Callable[[str], str], at_most_s: float | None = None) -> None:
    """Sends the texts of all outboxes until a None comes, or the other side closes or takes no more.

    `cut` returns of each text what this role may see. After `at_most_s` it closes.
    """
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_gone(socket)), *(group.create_task(_send(socket, each, cut)) for each in outboxes)]
        ended, _ = await asyncio.wait(tasks, timeout=at_most_s, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
    if not ended:
        with suppress(WebSocketDisconnect):
            await socket.close(ASK_THE_PROXY, "connect again")


async def _send(socket: AnySocket, outbox: Outbox, cut: Callable[[str], str]) -> None:
    with suppress(WebSocketDisconnect, TimeoutError):
        while (text := await outbox.get()) is not None:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await socket.send_text(cut(text))
        await socket.close(SESSION_ENDED, "the session has ended, or too much was left unread")


async def _gone(socket: AnySocket) -> None:
    """Returns when the other side has closed; its messages are ignored."""
    with suppress(WebSocketDisconnect):
        while True:
            await socket.receive_text()
