"""Security rules for every answer and every request of a browser."""

import re
from urllib.parse import urlsplit

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from commander.problems import CommanderError, ErrorKind
from commander.web.bodies import Refuse, header, method_of

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = [
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
]
_HOST = re.compile(r"(?:[\w.-]+|\[[\w:.%]+\])?(?::(?P<port>[0-9]{0,5}))?", re.ASCII)
PORT_LIMIT = 65_535
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class CrossSite(CommanderError):
    """Another site made the browser send this."""

    kind = ErrorKind(403, "cross_site", "Sent by another site")

    def __init__(self) -> None:
        super().__init__("Another web site sent this request; it was not carried out.")


class BadHost(CommanderError):
    """The `Host` header is not a name or address."""

    kind = ErrorKind(400, "bad_host", "Not a host")

    def __init__(self) -> None:
        super().__init__("The Host header is not a valid host and port; check the address that you opened.")


def check_host(scope: Scope) -> None:
    """Raises `BadHost`. Code that reads a request's address relies on this check."""
    match = _HOST.fullmatch(header(scope, b"host") or "")
    if match is None or int(match["port"] or 0) > PORT_LIMIT:
        raise BadHost


def is_cross_site(scope: Scope) -> bool:
    """Returns whether a browser reports that another origin caused this request. Other programs report nothing."""
    site = header(scope, b"sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    return _comes_from_elsewhere(scope)


class Guarded:
    """ASGI middleware: no writes and no sockets on behalf of other sites, and the headers that browsers heed."""

    def __init__(self, app: ASGIApp, refuse: Refuse) -> None:
        self._app = app
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if method_of(scope) is not None:
            await self._http(scope, receive, send)
        elif scope["type"] == ScopeType.WEBSOCKET and _comes_from_elsewhere(scope):
            await receive()
            await send({"type": "websocket.close", "code": 4403, "reason": "another origin"})
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *HEADERS]
            await send(message)

        try:
            check_host(scope)
            if method_of(scope) not in SAFE and is_cross_site(scope):
                raise CrossSite
        except (BadHost, CrossSite) as error:
            await self._refuse(error, scope, with_headers)
        else:
            await self._app(scope, receive, with_headers)


def _comes_from_elsewhere(scope: Scope) -> bool:
    """Returns whether another origin is named, or the same host without TLS.

    A proxy that ends TLS may not say so: a page of `https://` may then send to what looks like `http://` here.
    """
    origin = header(scope, b"origin")
    if origin is None:
        return False
    try:
        parts = urlsplit(origin)
    except ValueError:  # an invalid address, such as `http://[`
        return True
    is_weaker = scope["scheme"] in ("https", "wss") and parts.scheme != "https"
    return is_weaker or parts.netloc != header(scope, b"host")
