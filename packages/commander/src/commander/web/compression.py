"""Compresses answers by zstd or gzip if the client accepts it.

Only answers to GET are compressed: new tokens, keys and passwords are shown in answers to forms. Requests that another
web site caused are not: it could vary a part of the page and learn the rest from the size (BREACH).
"""

import asyncio
import re
import zlib
from collections.abc import Callable
from typing import NamedTuple, Protocol

import zstandard
from litestar.types import ASGIApp, HTTPResponseBodyEvent, HTTPResponseStartEvent, Message, Receive, Scope, Send

from commander.web.bodies import header, method_of

SMALLEST_BYTES = 1024  # less fits into one packet uncompressed
ZSTD_LEVEL, GZIP_LEVEL = 1, 5  # with zstd's -1 an index page is a quarter larger, with its 3 it has the same size
WITHOUT_BODY = frozenset({204, 206, 304})
_PACKED_TYPES = re.compile(rb"text/|application/(?:[\w.-]+\+)?json|application/javascript|image/svg\+xml")
_NEVER = re.compile(r"q\s*=\s*0(?:\.0*)?$")


class Compressor(Protocol):
    """Compresses one answer piece by piece."""

    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self, mode: int = ..., /) -> bytes: ...


class Encoding(NamedTuple):
    """A `Content-Encoding`.

    `flush_piece` makes `Compressor.flush` return all input so far, `flush_end` ends the stream. Larger pieces than
    `in_place_bytes` are compressed in a thread. That is about a millisecond of work; a thread costs a fifth of it.
    """

    name: str
    compressor: Callable[[], Compressor]
    flush_piece: int
    flush_end: int
    in_place_bytes: int


ZSTD = Encoding(
    "zstd",
    lambda: zstandard.ZstdCompressor(level=ZSTD_LEVEL).compressobj(),
    zstandard.COMPRESSOBJ_FLUSH_BLOCK,
    zstandard.COMPRESSOBJ_FLUSH_FINISH,
    1024 * 1024,
)
GZIP = Encoding("gzip", lambda: zlib.compressobj(GZIP_LEVEL, wbits=31), zlib.Z_SYNC_FLUSH, zlib.Z_FINISH, 128 * 1024)


def accepted(accept_encoding: str | None) -> list[Encoding]:
    """Returns the encodings that the client accepts, the best first."""
    offers = [offer.strip().lower().partition(";") for offer in (accept_encoding or "").split(",")]
    names = {name.strip() for name, _, parameter in offers if not _NEVER.search(parameter)}
    return [each for each in (ZSTD, GZIP) if each.name in names]


def is_asked_by_another_site(scope: Scope) -> bool:
    return header(scope, b"sec-fetch-site") in ("cross-site", "same-site")


class Compressed:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if method_of(scope) != "GET":
            await self._app(scope, receive, send)
            return
        encodings = [] if is_asked_by_another_site(scope) else accepted(header(scope, b"accept-encoding"))
        await self._app(scope, receive, _Answer(send, encodings[0] if encodings else None))


class _Answer:
    """Replaces `send` for one answer. The headers wait for the first piece of the body."""

    def __init__(self, send: Send, encoding: Encoding | None) -> None:
        self._send = send
        self._encoding = encoding
        self._start: HTTPResponseStartEvent | None = None
        self._compressor: Compressor | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
        elif message["type"] == "http.response.body":
            await self._body(message)
        else:
            await self._send(message)

    async def _body(self, message: HTTPResponseBodyEvent) -> None:
        if self._start is not None:
            start, self._start = self._start, None
            if is_packable(start):
                await self._first(start, message)
                return
            await self._send(start)
        await self._piece(message)

    async def _first(self, start: HTTPResponseStartEvent, message: HTTPResponseBodyEvent) -> None:
        if not any(name.lower() == b"vary" for name, _ in start["headers"]):
            start["headers"] = [*start["headers"], (b"vary", b"Accept-Encoding")]
        is_whole = not message.get("more_body", False)
        if self._encoding is None or (is_whole and len(message["body"]) < SMALLEST_BYTES):
            await self._send(start)
            await self._send(message)
            return
        self._compressor = self._encoding.compressor()
        packed = await self._packed(message["body"], is_last=is_whole)
        headers = [each for each in start["headers"] if each[0].lower() != b"content-length"]
        headers.append((b"content-encoding", self._encoding.name.encode()))
        if is_whole:
            headers.append((b"content-length", str(len(packed)).encode()))
        await self._send({**start, "headers": headers})
        await self._send({"type": "http.response.body", "body": packed, "more_body": not is_whole})

    async def _piece(self, message: HTTPResponseBodyEvent) -> None:
        if self._compressor is None:
            await self._send(message)
            return
        more = message.get("more_body", False)
        packed = await self._packed(message["body"], is_last=not more)
        await self._send({"type": "http.response.body", "body": packed, "more_body": more})

    async def _packed(self, body: bytes, *, is_last: bool) -> bytes:
        assert self._compressor is not None and self._encoding is not None  # noqa: S101, PT018 - `_first` made them
        flush = self._encoding.flush_end if is_last else self._encoding.flush_piece
        if len(body) <= self._encoding.in_place_bytes:
            return _pack(self._compressor, body, flush)
        return await asyncio.to_thread(_pack, self._compressor, body, flush)


def _pack(compressor: Compressor, body: bytes, flush: int) -> bytes:
    return compressor.compress(body) + compressor.flush(flush)


def is_packable(start: HTTPResponseStartEvent) -> bool:
    """Returns whether the body is text that is not compressed yet."""
    if start["status"] in WITHOUT_BODY:
        return False
    headers = {name.lower(): value for name, value in start["headers"]}
    return b"content-encoding" not in headers and bool(_PACKED_TYPES.match(headers.get(b"content-type", b"")))
