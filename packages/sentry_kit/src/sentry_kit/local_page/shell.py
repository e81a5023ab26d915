"""The local page's frame: access, strict headers, and live updates without polling.

A page is made of *fragments*, each one element with an id. `Fragments.publish` sends those that changed to every open
page as Server-Sent Events; the first load renders the same pieces.
"""

import asyncio
import ipaddress
import logging
import math
import socket
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

import jinja2
from protocol.reasons import reason
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sentry_kit.errors import SentryError
from sentry_kit.local_page.access import Access
from sentry_kit.local_page.login import Login

log = logging.getLogger(__name__)

_VIEWERS_LIMIT = 16
_HEARTBEAT_S = 15
_FORM_LIMIT_BYTES = 16_384
_OWNER = "minewarden.is_owner"
_OWNERS_ONLY = (
    "Only the sentry's owner can change something here: run “{} page” as the user that the sentry runs as, "
    "and open the address that it prints.\n"
)
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self';"
        " form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # no-referrer would make browsers send forms with `Origin: null`
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def page_templates(package: str, program: str, command: str, version: str) -> jinja2.Environment:
    """Returns the templates of the sentry's `local` package and of this frame. Undefined names are errors."""
    loaders = [jinja2.PackageLoader(package), jinja2.PackageLoader("sentry_kit.local_page")]
    templates = jinja2.Environment(
        loader=jinja2.ChoiceLoader(loaders), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    templates.globals.update(program=program, command=command, version=version, hostname=socket.gethostname())
    return templates


class Fragments:
    """The page's live elements, rendered once for all open pages."""

    def __init__(self, render: Callable[[], Mapping[str, str]]) -> None:
        self._render = render
        self._sent: dict[str, str] = {}
        self._viewers: set[asyncio.Queue[str | None]] = set()

    @property
    def is_full(self) -> bool:
        return len(self._viewers) >= _VIEWERS_LIMIT

    def publish(self) -> None:
        """Sends what has changed since the last call. A viewer that can't keep up is dropped, and connects again."""
        if not self._viewers:
            return
        now = dict(self._render())
        changed = "".join(html for name, html in now.items() if self._sent.get(name) != html)
        self._sent = now
        if changed:
            self._send(_event(changed))

    def close(self) -> None:
        self._send(None)

    def _send(self, event: str | None) -> None:
        for viewer in list(self._viewers):
            try:
                viewer.put_nowait(event)
            except asyncio.QueueFull:
                self._viewers.discard(viewer)

    async def events(self) -> AsyncIterator[str]:
        """Yields all fragments first, because they may have changed since the page was rendered; then changes."""
        queue: asyncio.Queue[str | None] = asyncio.Queue(8)
        self._viewers.add(queue)
        try:
            self._sent = dict(self._render())
            yield _event("".join(self._sent.values()))
            while queue in self._viewers:
                try:
                    async with asyncio.timeout(_HEARTBEAT_S):
                        event = await queue.get()
                except TimeoutError:
                    event = ":\n\n"
                if event is None:
                    return
                yield event
        finally:
            self._viewers.discard(queue)


class Live(NamedTuple):
    """The live elements of the page: those for its owner, and those for all others."""

    owners: Fragments
    others: Fragments

    def publish(self) -> None:
        for each in self:
            each.publish()

    def close(self) -> None:
        for each in self:
            each.close()


def _event(html: str) -> str:
    return "".join(f"data: {line}\n" for line in html.splitlines()) + "\n"


class LocalApp:
    """The page as an ASGI app. Only the owner can change something.

    Without a password, everyone who can reach the page can read it.
    """

    def __init__(
        self,
        routes: Sequence[Route],
        live: Live,
        ui_host: str,
        access: Access,
        templates: jinja2.Environment,
        *,
        form_limit_bytes: int = _FORM_LIMIT_BYTES,
    ) -> None:
        self._live, self._access, self._login = live, access, Login(access, templates)
        self._form_limit_bytes = form_limit_bytes
        self._command = str(templates.globals["command"])
        static = StaticFiles(packages=[("sentry_kit.local_page", "static")])
        self._app: ASGIApp = Starlette(
            routes=[*routes, *self._login.routes, Route("/events", self._events), Mount("/static", static)],
            exception_handlers={SentryError: _trouble, sqlite3.Error: _trouble, TimeoutError: _trouble},
        )
        self._names = {"localhost", ui_host.lower(), socket.gethostname().lower()}

    def stop(self) -> None:
        self._live.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = Headers(scope=scope)
        scope[_OWNER] = self._access.is_owner(headers)
        if scope["method"] in ("GET", "HEAD"):
            refusal = self._unreadable(scope, headers)
        else:
            refusal = self._unchangeable(scope, headers)
        await (refusal or self._app)(scope, receive, _with_headers(send))

    def _unreadable(self, scope: Scope, headers: Headers) -> Response | None:
        """Refuses a foreign name in `Host` (DNS rebinding), and a reader without the password."""
        name = _host_name(headers)
        if not (name in self._names or _is_address(name)):
            return PlainTextResponse("Open this page by its address or by localhost.\n", 421)
        is_open = scope["path"] == "/login" or scope["path"].startswith("/static/")
        if self._access.has_password and not scope[_OWNER] and not is_open:
            return self._login.form(401)
        return None

    def _unchangeable(self, scope: Scope, headers: Headers) -> Response | None:
        if refusal := self._unreadable({**scope, "path": "/login"}, headers):
            return refusal
        if not _is_own_form(headers):
            return PlainTextResponse("This form must be sent from the sentry's own page.\n", 403)
        if not (scope[_OWNER] or scope["path"] == "/login"):
            return PlainTextResponse(_OWNERS_ONLY.format(self._command), 403)
        if _length(headers) > self._form_limit_bytes:
            return PlainTextResponse("The form is too large.\n", 413)
        return None

    async def _events(self, request: Request) -> Response:
        fragments = self._live.owners if is_owner(request) else self._live.others
        if fragments.is_full:
            return PlainTextResponse("Too many open pages; close one.\n", 503, {"Retry-After": "30"})
        return StreamingResponse(fragments.events(), media_type="text/event-stream")


def is_owner(request: Request) -> bool:
    return bool(request.scope[_OWNER])


async def _trouble(_request: Request, error: Exception) -> Response:
    """Answers an error that no form has caused, such as a disk that does not work."""
    log.warning("page_trouble %s: %s", type(error).__name__, error)
    sentence = (
        str(error) if isinstance(error, SentryError) else f"The sentry's file can't be used now ({reason(error)})."
    )
    return PlainTextResponse(f"{sentence} Try again.\n", 503)


def _length(headers: Headers) -> float:
    """Returns the body's length; infinite for chunks, also beside a `Content-Length` (RFC 9112, 6.3)."""
    has_length = "transfer-encoding" not in headers and "content-length" in headers
    return int(headers["content-length"]) if has_length else math.inf


def _host_name(headers: Headers) -> str:
    try:
        return urlsplit(f"//{headers.get('host', '')}").hostname or ""
    except ValueError:  # such as “[”
        return ""


def _is_own_form(headers: Headers) -> bool:
    """Returns whether a browser sent the form from this page. A program, or another page's form, does not pass."""
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    own = f"http://{headers.get('host', '')}"
    return origin in (None, own) and site in (None, "same-origin") and (origin or site) is not None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _with_headers(send: Send) -> Send:
    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(_HEADERS)
        await send(message)

    return with_headers
