"""Bodies of the machines' API: JSON, 4 MiB at most unpacked, gzip or zstd if the sender likes."""

import zlib
from collections.abc import Awaitable, Callable

import zstandard
from litestar.enums import ScopeType
from litestar.types import (
    ASGIApp,
    HTTPReceiveMessage,
    HTTPRequestEvent,
    Receive,
    Scope,
    Send,
    WebSocketReceiveMessage,
)

BODY_LIMIT = 4 * 1024 * 1024
DRAIN_LIMIT = 16 * BODY_LIMIT


Refuse = Callable[[Exception, Scope, Send], Awaitable[None]]


class TooLarge(Exception):
    """The body has more than `BODY_LIMIT` bytes, packed or unpacked, or too many parts."""

    def __init__(self, text: str = "A body has 4 MiB at most, unpacked; send it in parts.") -> None:
        super().__init__(text)


class NotJson(Exception):
    """The body is in a form that is not spoken here."""


class BadBody(Exception):
    """The body can't be read: broken JSON or broken compression."""


class BodyGate:
    """ASGI middleware: checks and unpacks the bodies of `/api/`, so that everything behind it reads plain JSON."""

    def __init__(self, app: ASGIApp, refuse: Refuse) -> None:
        self._app = app
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if method_of(scope) in (None, "GET", "HEAD") or not scope["path"].startswith("/api/"):
            await self._app(scope, receive, send)
            return
        try:
            plain = await _plain(scope, receive)
        except (TooLarge, NotJson, BadBody) as error:
            await self._refuse(error, scope, send)
        else:
            await self._app(scope, plain, send)


async def _plain(scope: Scope, receive: Receive) -> Receive:
    body = await read_body(scope, receive)
    sent = False

    async def again() -> HTTPReceiveMessage | WebSocketReceiveMessage:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return HTTPRequestEvent(type="http.request", body=body, more_body=False)

    return again


async def read_body(scope: Scope, receive: Receive) -> bytes:
    """The JSON text that was sent, unpacked. Raises `TooLarge`, `NotJson` or `BadBody`."""
    kind = (header(scope, b"content-type") or "application/json").partition(";")[0].strip().lower()
    encoding = (header(scope, b"content-encoding") or "identity").strip().lower()
    body = await _read(receive)
    if body and kind != "application/json":
        raise NotJson(f"Send JSON (Content-Type: application/json), not {kind[:60]}.")
    return unpacked(body, encoding)


async def _read(receive: Receive) -> bytes:
    """The whole body; one that is too large is read to its end (within reason), or its sender would see a broken
    connection instead of the answer."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise BadBody("The connection ended before the body did.")
        size += len(message.get("body", b""))
        if size <= BODY_LIMIT:
            parts.append(message.get("body", b""))
        if not message.get("more_body", False) or size > DRAIN_LIMIT:
            break
    if size > BODY_LIMIT:
        raise TooLarge
    return b"".join(parts)


def unpacked(body: bytes, encoding: str) -> bytes:
    """The body without its `Content-Encoding`; never more than `BODY_LIMIT`, whatever a few bytes promise."""
    try:
        if encoding == "gzip":
            return _gunzipped(body)
        if encoding == "zstd":
            return _unzstd(body)
    except (zlib.error, zstandard.ZstdError) as error:
        raise BadBody(f"The body is not {encoding}: {error}.") from error
    if encoding not in ("identity", ""):
        raise NotJson(f"Content-Encoding may be gzip or zstd, not {encoding[:60]}.")
    return body


def _gunzipped(body: bytes) -> bytes:
    unzip = zlib.decompressobj(wbits=31)
    plain = unzip.decompress(body, BODY_LIMIT + 1)
    if len(plain) > BODY_LIMIT:
        raise TooLarge
    if not unzip.eof:
        raise BadBody("The gzip body ends too early.")
    return plain


def _unzstd(body: bytes) -> bytes:
    with zstandard.ZstdDecompressor().stream_reader(body) as reader:
        plain = reader.read(BODY_LIMIT + 1)
    if len(plain) > BODY_LIMIT:
        raise TooLarge
    return plain


def method_of(scope: Scope) -> str | None:
    """The HTTP method; None for what is no HTTP request."""
    return scope["method"] if scope["type"] == ScopeType.HTTP else None


def header(scope: Scope, name: bytes) -> str | None:
    for key, value in scope["headers"]:
        if key == name:
            return value.decode("latin-1")
    return None


async def send_json(send: Send, status: int, body: bytes, *, headers: list[tuple[bytes, bytes]] | None = None) -> None:
    length = (b"content-length", str(len(body)).encode())
    plain = [(b"content-type", b"application/json"), length]
    await send({"type": "http.response.start", "status": status, "headers": headers or plain})
    await send({"type": "http.response.body", "body": body, "more_body": False})
