"""The two kinds of WebSocket: pages get HTML frames, scripts get the channels' messages as JSON."""

import asyncio
from contextlib import suppress
from typing import Any

from litestar import WebSocket, websocket
from litestar.di import NamedDependency
from litestar.exceptions import WebSocketDisconnect

from commander.accounts.actions import AccountActions
from commander.accounts.auth import OPEN, sender
from commander.accounts.domain import Session
from commander.live.badge import Badge
from commander.live.channels import Channels, is_channel
from commander.live.source import LiveViews

SESSION_ENDED = 4401
NOT_SPOKEN_HERE = 4404
SEND_TIMEOUT_S = 20

Outbox = asyncio.Queue[str | None]


AnySocket = WebSocket[Any, Any, Any]


@websocket("/live", opt={OPEN: True})
async def page_socket(
    socket: AnySocket,
    account_actions: NamedDependency[AccountActions],
    live_views: NamedDependency[LiveViews],
    badge: NamedDependency[Badge],
) -> None:
    """Frames for one open page: `?view=…&seq=<stamp of the page>&badge=<open incidents that it shows>`."""
    session = await _session(socket, account_actions)
    if session is None:
        return
    query = {name: str(value) for name, value in socket.query_params.items()}
    shown = query.pop("badge", None)
    try:
        frames, key, make_view = live_views.find(query)
    except ValueError as error:
        await _hang_up(socket, NOT_SPOKEN_HERE, str(error))
        return
    await socket.accept()
    viewer = frames.join(key, make_view, session=session, stamp=query.get("seq"))
    try:
        with badge.watched(shown) as news:
            await pump(socket, viewer.outbox, news)
    finally:
        frames.leave(key, viewer)


@websocket("/api/v1/events", opt={OPEN: True})
async def events_socket(
    socket: AnySocket, channels: NamedDependency[Channels], account_actions: NamedDependency[AccountActions]
) -> None:
    """The channels' messages, one JSON text each: `?channels=a,b`.

    It subscribes before it accepts: a client misses no message from the handshake on.
    """
    session = await _session(socket, account_actions)
    if session is None:
        return
    names = [name for name in socket.query_params.get("channels", "").split(",") if name]
    if wrong := [name for name in names if not is_channel(name)]:
        await _hang_up(socket, NOT_SPOKEN_HERE, f"no channel is called {wrong[0]}")
        return
    with channels.subscribed(names, session=session) as subscription:
        await socket.accept()
        await pump(socket, subscription.messages)


async def _session(socket: AnySocket, account_actions: AccountActions) -> str | None:
    """Returns the session with which the socket ends ("" for an API key); None, and closes it, without a login."""
    user = await sender(account_actions, socket)
    if user is None:
        await _hang_up(socket, SESSION_ENDED, "not signed in")
        return None
    return str(user.id) if isinstance(user, Session) else ""


async def _hang_up(socket: AnySocket, code: int, reason: str) -> None:
    """Accepts, then closes with a code: a browser gives its page no reason for a refused handshake."""
    await socket.accept()
    await socket.close(code, reason[:100])


async def pump(socket: AnySocket, *outboxes: Outbox) -> None:
    """Sends the texts of all outboxes until a None comes, or the other side closes or takes no more."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_gone(socket)), *(group.create_task(_send(socket, each)) for each in outboxes)]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()


async def _send(socket: AnySocket, outbox: Outbox) -> None:
    with suppress(WebSocketDisconnect, TimeoutError):
        while (text := await outbox.get()) is not None:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await socket.send_text(text)
        await socket.close(SESSION_ENDED, "the session has ended, or too much was left unread")


async def _gone(socket: AnySocket) -> None:
    """Returns when the other side has closed; its messages are ignored."""
    with suppress(WebSocketDisconnect):
        while True:
            await socket.receive_text()
