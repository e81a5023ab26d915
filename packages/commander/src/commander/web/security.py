"""Security rules for every answer and every request of a browser."""

import ipaddress
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

from commander.problems import CommanderError, ErrorKind
from commander.web.bodies import NO_SNIFFING, NO_STORE, Refuse, header, method_of
from commander.web.moments import WrongRange, check_moments

Header = tuple[bytes, bytes]
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = [
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    NO_SNIFFING,
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
]
STRICT_TRANSPORT = (b"strict-transport-security", b"max-age=31536000")
_HOST = re.compile(r"(?P<name>[\w.-]+|\[[\w:.%]+\])?(?::(?P<port>[0-9]{0,5}))?", re.ASCII)
PORT_LIMIT = 65_535
OPEN_TO_ALL_NAMES = frozenset({"/healthz", "/ca.pem"})
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


class UnknownHost(CommanderError):
    """A browser has opened the commander by a name that is not its own; another site may have led it here."""

    kind = ErrorKind(421, "unknown_host", "Unknown host")

    def __init__(self, name: str) -> None:
        super().__init__(
            f"This commander is not called {name[:100]}. Open it by its IP address or by its own name; or add this "
            "name to COMMANDER_HOSTS and restart the commander."
        )


def check_host(scope: Scope) -> str:
    """Returns the name in `Host`. Raises `BadHost`. Code that reads a request's address relies on this check."""
    match = _HOST.fullmatch(header(scope, b"host") or "")
    if match is None or int(match["port"] or 0) > PORT_LIMIT:
        raise BadHost
    return (match["name"] or "").lower().rstrip(".")


class KnownHosts:
    """The names by which browsers may open the commander. Every IP address is one of them.

    A page of another site can have a name of its own lead to this commander (DNS rebinding). It then fails here.
    """

    def __init__(self, names: Iterable[str]) -> None:
        lower = {name.lower().rstrip(".") for name in names}
        self._names = {name for name in lower if not name.startswith("*.")} | {"localhost", ""}
        self._ends = tuple(name[1:] for name in lower if name.startswith("*."))

    def check(self, scope: Scope, name: str) -> None:
        """Raises `UnknownHost`. A request with a token or key is checked by that: no browser sends one by itself."""
        if self._is_known(name) or header(scope, b"authorization") or scope["path"] in OPEN_TO_ALL_NAMES:
            return
        raise UnknownHost(name)

    def _is_known(self, name: str) -> bool:
        under_wildcard = f".{name.partition('.')[2]}" in self._ends
        return name in self._names or under_wildcard or _is_ip(name)


def _is_ip(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def is_cross_site(scope: Scope) -> bool:
    """Returns whether a browser reports that another origin caused this request. Other programs report nothing."""
    site = header(scope, b"sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    return _comes_from_elsewhere(scope)


class Guarded:
    """ASGI middleware. It refuses writes and WebSockets that another site has caused, and adds the security headers.

    `is_strict`: one of these headers tells browsers to use only HTTPS from now on.
    """

    def __init__(self, app: ASGIApp, refuse: Refuse, hosts: KnownHosts, *, is_strict: bool = False) -> None:
        self._app = app
        self._refuse = refuse
        self._hosts = hosts
        self._headers = [*HEADERS, STRICT_TRANSPORT] if is_strict else HEADERS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if method_of(scope) is not None:
            await self._http(scope, receive, send)
        elif scope["type"] == ScopeType.WEBSOCKET and self._is_foreign(scope):
            await receive()
            await send({"type": "websocket.close", "code": 4403, "reason": "another origin"})
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                wanted = [*self._headers, NO_STORE] if scope["path"].startswith("/api/") else self._headers
                message["headers"] = with_missing(message["headers"], wanted)
            await send(message)

        try:
            self._hosts.check(scope, check_host(scope))
            check_moments(scope)
            if method_of(scope) not in SAFE and is_cross_site(scope):
                raise CrossSite
        except (BadHost, UnknownHost, WrongRange, CrossSite) as error:
            await self._refuse(error, scope, with_headers)
        else:
            await self._app(scope, receive, with_headers)

    def _is_foreign(self, scope: Scope) -> bool:
        try:
            self._hosts.check(scope, check_host(scope))
        except (BadHost, UnknownHost):
            return True
        return _comes_from_elsewhere(scope)


def with_missing(headers: Iterable[Header], wanted: Iterable[Header]) -> list[Header]:
    """Returns the headers, and those of `wanted` whose name is not among them."""
    had = list(headers)
    names = {name.lower() for name, _ in had}
    return [*had, *(each for each in wanted if each[0] not in names)]


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
