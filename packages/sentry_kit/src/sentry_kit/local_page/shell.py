"""The local page's frame: who may ask, strict headers, and live updates without polling.

A page is made of *fragments*, each one element with an id. `Fragments.publish` sends those that changed to
every open page as Server-Sent Events; the first load renders the same pieces.
"""

import asyncio
import ipaddress
import logging
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jinja2
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger(__name__)

_VIEWERS_LIMIT = 16
_HEARTBEAT_S = 15
_FORM_LIMIT_BYTES = 16_384
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


def page_templates(package: str) -> jinja2.Environment:
    """Templates of the sentry's `local` package, over those of this frame. Undefined names are errors."""
    loaders = [jinja2.PackageLoader(package), jinja2.PackageLoader("sentry_kit.local_page")]
    return jinja2.Environment(
        loader=jinja2.ChoiceLoader(loaders), autoescape=True, undefined=jinja2.StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip


class Fragments:
    """The page's live pieces: rendered once, sent to whoever looks."""

    def __init__(self, render: Callable[[], Mapping[str, str]]) -> None:
        self._render = render
        self._sent: dict[str, str] = {}
        self._viewers: set[asyncio.Queue[str | None]] = set()

    @property
    def is_full(self) -> bool:
        return len(self._viewers) >= _VIEWERS_LIMIT

    def publish(self) -> None:
        """Sends what changed since the last time. A viewer who can't keep up is dropped, and comes back by
        itself."""
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
        """All fragments first, because something may have changed since the page was rendered; then what
        changes."""
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


def _event(html: str) -> str:
    return "".join(f"data: {line}\n" for line in html.splitlines()) + "\n"


class LocalApp:
    """The page as an ASGI app. Nobody is asked for a password: only this machine, or who may reach it, gets
    here."""

    def __init__(
        self,
        routes: Sequence[Route],
        fragments: Fragments,
        ui_host: str,
        *,
        form_limit_bytes: int = _FORM_LIMIT_BYTES,
    ) -> None:
        self._fragments = fragments
        self._form_limit_bytes = form_limit_bytes
        static = StaticFiles(packages=[("sentry_kit.local_page", "static")])
        app = Starlette(routes=[*routes, Route("/events", self._events), Mount("/static", static)])
        self._app: ASGIApp = app
        self._names = {"localhost", ui_host.lower(), socket.gethostname().lower()}

    def stop(self) -> None:
        self._fragments.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        refusal = self._refusal(scope["method"], Headers(scope=scope))
        await (refusal or self._app)(scope, receive, _with_headers(send))

    def _refusal(self, method: str, headers: Headers) -> Response | None:
        """DNS rebinding brings a foreign name in `Host`; a form on a foreign page brings a foreign
        `Origin`."""
        host = headers.get("host", "")
        name = urlsplit(f"//{host}").hostname or ""
        if not (name in self._names or _is_address(name)):
            return PlainTextResponse("Open this page by its address or by localhost.\n", 421)
        if method in ("GET", "HEAD"):
            return None
        if headers.get("origin", f"http://{host}") != f"http://{host}":
            return PlainTextResponse("This form must be sent from the sentry's own page.\n", 403)
        if int(headers.get("content-length") or self._form_limit_bytes + 1) > self._form_limit_bytes:
            return PlainTextResponse("The form is too large.\n", 413)
        return None

    async def _events(self, _request: Request) -> Response:
        if self._fragments.is_full:
            return PlainTextResponse("Too many open pages; close one.\n", 503, {"Retry-After": "30"})
        return StreamingResponse(self._fragments.events(), media_type="text/event-stream")


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


async def form_of(request: Request) -> dict[str, str]:
    """The fields of an ordinary form. Starlette's own parser would need python-multipart."""
    return dict(await fields_of(request, at_most=20))


async def fields_of(request: Request, *, at_most: int) -> list[tuple[str, str]]:
    """With every box of a name that is ticked."""
    body = (await request.body()).decode("utf-8", "replace")
    try:
        return parse_qsl(body, keep_blank_values=True, max_num_fields=at_most)
    except ValueError:
        return []


def html(templates: jinja2.Environment, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    return HTMLResponse(templates.get_template(template).render(values), status)
