"""Who sends this request: a session's cookie or an API key."""

from typing import Any

from litestar.connection import ASGIConnection
from litestar.middleware import AbstractAuthenticationMiddleware, AuthenticationResult
from litestar.types import ASGIApp

from commander.accounts.actions import Gate
from commander.accounts.domain import NamedKey, NotSignedIn, Session

AnyConnection = ASGIConnection[Any, Any, Any, Any]

COOKIE = "minewarden_session"
OPEN = "open"  # a handler with `opt={OPEN: True}` needs no log-in


class Authentication(AbstractAuthenticationMiddleware):
    """Sets `request.user` to the `Session` or `NamedKey`."""

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        super().__init__(app, exclude_from_auth_key=OPEN)
        self._gate = gate

    async def authenticate_request(self, connection: AnyConnection) -> AuthenticationResult:
        user = await sender(self._gate, connection)
        if user is None:
            raise NotSignedIn("Log in, or send an API key as: Authorization: Bearer KEY.")
        return AuthenticationResult(user=user, auth=None)


async def sender(gate: Gate, connection: AnyConnection) -> Session | NamedKey | None:
    """Who sends this. API keys open what is made for machines, a session opens everything."""
    scheme, _, key = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and is_for_machines(connection.url.path):
        return await gate.api_key_of(key.strip())
    cookie = connection.cookies.get(COOKIE)
    return await gate.session_of(cookie) if cookie else None


def is_for_machines(path: str) -> bool:
    """Whether errors on this path are answered with problem documents, not with pages."""
    return path.startswith(("/api/", "/metrics", "/healthz", "/schema", "/ca.pem"))
