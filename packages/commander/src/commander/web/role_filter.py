"""Cuts answers and frames down to what the sender's role may see and use.

Pages are rendered for the owner, and rows are rendered once for all viewers. For a lower role this file takes away, in
one place, the forms, buttons and links that lead to what that role may not do (`accounts/route_roles.py`), and for
`view` it shortens wallets. It relies on what holds for all our templates: no form, link, button or option lies inside
one of its kind, and attributes hold no ">".

An element whose right does not follow from its address says so itself: `data-least="own"`.
"""

import codecs
import re
from html import unescape
from urllib.parse import urlsplit

from litestar.types import ASGIApp, HTTPResponseBodyEvent, HTTPResponseStartEvent, Message, Receive, Scope, Send

from commander.accounts.domain import Role, is_enough
from commander.accounts.route_roles import least_role
from commander.web.bodies import method_of

_FORM = re.compile(r'<form\b(?P<tag>[^>]*\bmethod="post"[^>]*)>(?P<inside>.*?)</form>', re.DOTALL)
_CONTROL = re.compile(r"<(?P<name>a|button|option)\b(?P<tag>[^>]*)>.*?</(?P=name)>", re.DOTALL)
_HEADING = re.compile(r'<span\b[^>]*\bdata-least="(\w+)"[^>]*>[^<]*</span>')  # of what goes
_ATTRIBUTE = re.compile(r'\b(action|formaction|href|data-to|data-chosen|data-least)="([^"]*)"')
_SHOWN = re.compile(r"<button\b[^>]*\bdata-shown[^>]*>(.*?)</button>", re.DOTALL)  # its text is also news
_EMPTY = (
    re.compile(r"<li>\s*</li>\s*"),
    re.compile(r"<details\b[^>]*>\s*<summary\b[^>]*>[^<]*</summary>\s*<ul>\s*</ul>\s*</details>"),
    re.compile(r'<div class="actions">\s*</div>'),
)
WALLET_LEAST = 25  # characters; Ripple's are the shortest
_WALLET = re.compile(rf"(?<![0-9A-Za-z])(?=[A-Za-z]*[0-9])[0-9A-Za-z]{{{WALLET_LEAST},}}")
_UNFINISHED = re.compile(r"[0-9A-Za-z]{1,512}\Z")
_TEXTS = re.compile(rb"(text/(html|csv|plain)|application/(problem\+)?json|application/vnd\.oai)", re.IGNORECASE)


def masked(text: str) -> str:
    """Returns the text with only the ends of each wallet: long words of letters and digits."""
    return _WALLET.sub(lambda match: f"{match[0][:4]}…{match[0][-4:]}", text)


def html_for(role: Role, html: str, path: str = "") -> str:
    """Returns a page or a fragment as this role may see it. `path` is the page's own, for forms without an address."""
    if is_enough(role, Role.OWN):
        return html

    def form(match: re.Match[str]) -> str:
        if _may(role, "POST", match["tag"], path):
            return match[0]
        return "".join(_SHOWN.findall(match["inside"]))

    def control(match: re.Match[str]) -> str:
        return match[0] if _may(role, "GET", match["tag"], path) else ""

    def heading(match: re.Match[str]) -> str:
        return match[0] if is_enough(role, Role(match[1])) else ""

    html = _HEADING.sub(heading, _CONTROL.sub(control, _FORM.sub(form, html)))
    for empty in _EMPTY:
        html = empty.sub("", html)
    return html if is_enough(role, Role.OPERATE) else masked(html)


def json_for(role: Role, text: str) -> str:
    """Returns JSON or CSV as this role may see it."""
    return text if is_enough(role, Role.OPERATE) else masked(text)


def frame_for(role: Role, frame: str) -> str:
    """Returns a frame of a live page, "<stamp>\\n<html>", as this role may see it."""
    stamp, line, html = frame.partition("\n")
    return stamp + line + html_for(role, html)


def _may(role: Role, method: str, tag: str, path: str) -> bool:
    """Returns whether the role may use the element with these attributes."""
    found = dict(_ATTRIBUTE.findall(tag))
    if (least := found.get("data-least")) and not is_enough(role, Role(least)):
        return False
    posts = [found[name] for name in ("action", "formaction", "data-chosen") if name in found]
    leads = [found[name] for name in ("href", "data-to") if name in found]
    if method == "POST" and not posts:
        posts = [path]
    return all(_may_open(role, "POST", each, path) for each in posts) and all(
        _may_open(role, "GET", each, path) for each in leads
    )


def _may_open(role: Role, method: str, address: str, path: str) -> bool:
    parts = urlsplit(unescape(address))
    if parts.scheme or parts.netloc or (not parts.path and not parts.query):  # another site, or a place of this page
        return True
    if method == "GET" and parts.path.startswith(("/assets/", "/ca.pem", "/login")):
        return True
    return is_enough(role, least_role(method, parts.path or path, parts.query))


class RoleFilter:
    """ASGI middleware. It asks who sends a request only when the answer begins: by then that is known."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send if method_of(scope) is None else _FilteredAnswer(scope, send))


class _FilteredAnswer:
    """Replaces `send` for one answer. A page comes in one piece; other texts may come in several."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._scope = scope
        self._send = send
        self._role: Role | None = None  # of a sender whose answer is filtered
        self._start: HTTPResponseStartEvent | None = None
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._kept = ""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            role = getattr(self._scope.get("user"), "role", Role.OWN)
            if not is_enough(role, Role.OWN) and _TEXTS.match(_content_type(message)):
                self._role, self._start = role, message
                return
        elif message["type"] == "http.response.body" and self._role is not None:
            await self._body(message, self._role)
            return
        await self._send(message)

    async def _body(self, message: HTTPResponseBodyEvent, role: Role) -> None:
        more = message.get("more_body", False)
        text = self._kept + self._decoder.decode(message["body"], final=not more)
        self._kept = ""
        if self._start and _content_type(self._start).startswith(b"text/html"):
            text = html_for(role, text, self._scope["path"])
        else:
            if more and (cut := _UNFINISHED.search(text)):  # the next piece may go on with this word
                text, self._kept = text[: cut.start()], cut[0]
            text = json_for(role, text)
        body = text.encode()
        if self._start:
            await self._send(_with_length(self._start, None if more else len(body)))
            self._start = None
        await self._send({"type": "http.response.body", "body": body, "more_body": more})


def _content_type(start: HTTPResponseStartEvent) -> bytes:
    return next((value for name, value in start["headers"] if name.lower() == b"content-type"), b"")


def _with_length(start: HTTPResponseStartEvent, length: int | None) -> HTTPResponseStartEvent:
    headers = [each for each in start["headers"] if each[0].lower() != b"content-length"]
    if length is not None:
        headers.append((b"content-length", str(length).encode()))
    return {**start, "headers": headers}
