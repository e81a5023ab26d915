"""Reads bodies of the API for scripts and of forms only when a handler asks for them.

By then Litestar has checked the session or key, and the gate a sentry's token: a stranger's body is not read. Handlers
see plain JSON, or a form within its limits.
"""

from collections.abc import Awaitable, Callable

from litestar.types import (
    ASGIApp,
    HTTPReceiveMessage,
    HTTPRequestEvent,
    Receive,
    Scope,
    Send,
    WebSocketReceiveMessage,
)

from commander.accounts.known_senders import sender_is_known
from commander.accounts.networks import sender_network
from commander.web.bodies import FormLimits, check_json, method_of, read_body, read_form
from commander.web.body_budget import BodyBudget, Share

LOGIN = "/login"
CheckToken = Callable[[Scope], Awaitable[object]]
SENTRIES = "/api/v1/sentry/"
WITHOUT_BODY = frozenset({None, "GET", "HEAD", "OPTIONS"})
LOGIN_LIMITS = FormLimits(size=4 * 1024, fields=10)
FORM_LIMITS = FormLimits(size=64 * 1024, fields=100)
COPY_LIMITS = FormLimits(size=64 * 1024, fields=600)  # the page of a playbook's copies has a box for each of 500 rigs
TAGS_LIMITS = FormLimits(size=2 * 1024 * 1024, fields=10)  # a spreadsheet with a line for each of 10,000 rigs


class BodyGate:
    """ASGI middleware. `check_token` raises if the headers hold no valid token of a sentry."""

    def __init__(self, app: ASGIApp, budget: BodyBudget, check_token: CheckToken) -> None:
        self._app = app
        self._budget = budget
        self._check_token = check_token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if method_of(scope) in WITHOUT_BODY:
            await self._app(scope, receive, send)
            return
        with self._budget.share(address_of(scope)) as share:
            await self._app(scope, self._when_asked_for(scope, receive, share), send)

    def _when_asked_for(self, scope: Scope, receive: Receive, share: Share) -> Receive:
        is_read = False

        async def body() -> HTTPReceiveMessage | WebSocketReceiveMessage:
            nonlocal is_read
            if is_read:
                return await receive()
            is_read = True
            plain = await self._read(scope, receive, share)
            return HTTPRequestEvent(type="http.request", body=plain, more_body=False)

        return body

    async def _read(self, scope: Scope, receive: Receive, share: Share) -> bytes:
        path = scope["path"]
        if path.startswith(SENTRIES):
            await self._check_token(scope)
            share.sender_is_known()
            sender_is_known(scope)
        elif path == LOGIN or scope.get("user") is not None:  # a flood of strangers must not keep the owner out
            share.sender_is_known()
        if not path.startswith("/api/"):
            return await read_form(receive, share, limits_of(path))
        body = await read_body(scope, receive, share)
        if body:
            check_json(body)
        return body


def limits_of(path: str) -> FormLimits:
    """Returns the limits of the forms that are sent to this page."""
    if path == LOGIN:
        return LOGIN_LIMITS
    if path.startswith("/tags/"):
        return TAGS_LIMITS
    return COPY_LIMITS if path.endswith("/copies") else FORM_LIMITS


def address_of(scope: Scope) -> str:
    """Returns the address whose budget a stranger uses: for IPv6 its /64."""
    client = scope.get("client")
    return sender_network(client[0] if client else "")
