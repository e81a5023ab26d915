"""Refuses a flood of log-ins before anything of it is read.

A stranger that has to wait gets its answer here. So a thousand guesses a second cost little, and reports of sentries
are not delayed by them.
"""

from functools import lru_cache
from http.cookies import CookieError, SimpleCookie

from litestar.types import ASGIApp, Receive, Scope, Send
from sqlalchemy.exc import DBAPIError

from commander.accounts.access_actions import AccessActions
from commander.accounts.access_domain import LoginFields
from commander.accounts.actions import AccountActions
from commander.accounts.domain import TooManyTries
from commander.accounts.known_senders import sender_is_known
from commander.problems import DatabaseProblem
from commander.settings_pages.pages import too_many_page
from commander.web.bodies import header, method_of
from commander.web.body_gate import LOGIN
from commander.web.security import HEADERS


class LoginGate:
    """ASGI middleware in front of the page `/login`."""

    def __init__(self, app: ASGIApp, account_actions: AccountActions, access_actions: AccessActions) -> None:
        self._app = app
        self._account_actions = account_actions
        self._access_actions = access_actions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] != LOGIN or method_of(scope) != "POST":
            await self._app(scope, receive, send)
            return
        client = scope.get("client")
        device = _cookie_of(scope, self._account_actions.cookies.device)
        try:
            if await self._account_actions.is_known_browser(device):
                sender_is_known(scope)
            await self._account_actions.check_login(address=client[0] if client else "", device_cookie=device)
        except TooManyTries as error:
            await _refuse(error, self._access_actions.last_login_fields, send)
            return
        except (DBAPIError, DatabaseProblem):
            pass  # the application meets it too, and answers it
        await self._app(scope, receive, send)


def _cookie_of(scope: Scope, name: str) -> str:
    text = header(scope, b"cookie") or ""
    if name not in text:
        return ""
    try:
        morsel = SimpleCookie(text).get(name)
    except CookieError:
        return ""
    return morsel.value if morsel else ""


async def _refuse(error: TooManyTries, fields: LoginFields, send: Send) -> None:
    body = _page_of(str(error), error.retry_after_s or 1, fields)
    headers = [
        (b"content-type", b"text/html; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"retry-after", str(error.retry_after_s).encode()),
        *HEADERS,
    ]
    await send({"type": "http.response.start", "status": 429, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


@lru_cache(maxsize=64)
def _page_of(text: str, wait_s: int, fields: LoginFields) -> bytes:
    return too_many_page(TooManyTries(text, wait_s), fields=fields).content
