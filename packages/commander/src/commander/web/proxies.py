"""Reads the sender's address and scheme from the headers of a trusted proxy.

With TLS off, requests from all other senders are refused.
"""

import ipaddress
from collections.abc import Sequence

from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from commander.accounts.proxy_users import ProxyHeaders
from commander.problems import CommanderError, ErrorKind
from commander.settings import IpNetwork
from commander.web.bodies import Refuse, header, method_of

SCHEMES = frozenset({"http", "https"})
HEALTH = "/healthz"  # says nothing but `ok`; containers ask for it from inside


class NotTheProxy(CommanderError):
    """TLS is off, and the request does not come from a trusted proxy."""

    kind = ErrorKind(403, "not_the_proxy", "Not the proxy")

    def __init__(self) -> None:
        super().__init__(
            "HTTPS is off here, so this commander answers only the proxies in COMMANDER_TRUSTED_PROXIES. Open the "
            "address of the proxy."
        )


class BehindProxy:
    """ASGI middleware. `only_proxies`: other senders are refused. `users` are the headers that name people."""

    def __init__(
        self, app: ASGIApp, proxies: Sequence[IpNetwork], *, users: ProxyHeaders, only_proxies: bool, refuse: Refuse
    ) -> None:
        self._app = app
        self._proxies = proxies
        self._users = users
        self._only_proxies = only_proxies
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        if client and self._is_proxy(client[0]):
            self._believe(scope)
        elif self._only_proxies and scope["path"] != HEALTH:
            await self._turn_away(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _believe(self, scope: Scope) -> None:
        scheme = (header(scope, b"x-forwarded-proto") or "").strip().lower()
        if scheme in SCHEMES:
            is_socket = scope["type"] == ScopeType.WEBSOCKET
            scope["scheme"] = scheme.replace("http", "ws") if is_socket else scheme
        if address := self._sender(scope):
            scope["client"] = (address, 0)
        self._users.note(scope)

    def _sender(self, scope: Scope) -> str | None:
        """Returns the nearest address that is no proxy; None if what stands there is no address."""
        values = [value.decode("latin-1") for name, value in scope["headers"] if name == b"x-forwarded-for"]
        for text in reversed(",".join(values).split(",")):
            address = address_in(text)
            if address is None or not self._is_proxy(address):
                return address
        return None

    def _is_proxy(self, host: str) -> bool:
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return False
        plain = getattr(address, "ipv4_mapped", None) or address
        return any(plain in network for network in self._proxies)

    async def _turn_away(self, scope: Scope, receive: Receive, send: Send) -> None:
        if method_of(scope) is not None:
            await self._refuse(NotTheProxy(), scope, send)
        else:
            await receive()
            await send({"type": "websocket.close", "code": 4403, "reason": "not the proxy"})


def address_in(text: str) -> str | None:
    """Returns the address in an entry of X-Forwarded-For, which may have a port; None if it has none."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
