"""Finds the sender of a request, a session's cookie or an API key, and checks whether its role is enough."""

from collections.abc import Callable
from typing import Any

from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.middleware import AbstractAuthenticationMiddleware, AuthenticationResult
from litestar.types import ASGIApp, Scope

from commander.accounts.actions import AccountActions
from commander.accounts.domain import ApiKey, NotSignedIn, User, check_role
from commander.accounts.known_senders import sender_is_known
from commander.accounts.proxy_users import proxy_session
from commander.accounts.route_roles import SOCKET, least_role
from commander.audit.actor import Actor, act_as

AnyConnection = ASGIConnection[Any, Any, Any, Any]

OPEN = "open"  # a handler with `opt={OPEN: True}` needs no log-in


class Authentication(AbstractAuthenticationMiddleware):
    """Sets `request.user` to the `Session` or `ApiKey`. Raises `NotSignedIn` or `RoleTooLow`."""

    def __init__(self, app: ASGIApp, account_actions_of: Callable[[Scope], AccountActions]) -> None:
        super().__init__(app, exclude_from_auth_key=OPEN)
        self._account_actions_of = account_actions_of

    async def authenticate_request(self, connection: AnyConnection) -> AuthenticationResult:
        user = await sender(self._account_actions_of(connection.scope), connection)
        if user is None:
            raise NotSignedIn("Log in, or send an API key as: Authorization: Bearer KEY.")
        act_as(actor_of(user, connection))
        connection.scope["user"] = user  # also for the answer to a refused request
        method = SOCKET if connection.scope["type"] == ScopeType.WEBSOCKET else connection.scope["method"]
        check_role(user, least_role(method, connection.url.path, connection.url.query))
        return AuthenticationResult(user=user, auth=None)


def actor_of(user: User, connection: AnyConnection) -> Actor:
    """Returns who sends this request, as the audit log names them."""
    who = f"API key {user.name}" if isinstance(user, ApiKey) else user.access_name
    return Actor(who, connection.client.host if connection.client else None)


async def sender(account_actions: AccountActions, connection: AnyConnection) -> User | None:
    """Returns the sender. API keys open what is made for machines, a session opens pages too.

    A person whom a trusted proxy names comes before a session. Raises `KeyExpired` or `BadProxyUser`.
    """
    user = await _sender(account_actions, connection)
    if user is not None:
        sender_is_known(connection.scope)
    return user


async def _sender(account_actions: AccountActions, connection: AnyConnection) -> User | None:
    scheme, _, key = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and is_for_machines(connection.url.path):
        return await account_actions.api_key_of(key.strip())
    if session := proxy_session(connection.scope):
        return session
    cookie = connection.cookies.get(account_actions.cookies.session)
    return await account_actions.session_of(cookie) if cookie else None


def is_for_machines(path: str) -> bool:
    """Returns whether errors on this path are answered with problem documents, not with pages."""
    return path.startswith(("/api/", "/metrics", "/healthz", "/schema", "/ca.pem"))
