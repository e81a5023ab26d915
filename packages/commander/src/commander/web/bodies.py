"""Bodies of requests: forms, and JSON of at most 4 MiB, which may be compressed with gzip or zstd."""

import zlib
from collections.abc import Awaitable, Callable
from typing import NamedTuple, TypeVar

import msgspec
import zstandard
from litestar.enums import ScopeType
from litestar.types import Receive, Scope, Send

from commander.problems import CommanderError, ErrorKind
from commander.web.body_budget import Share

T = TypeVar("T")

BODY_LIMIT = 4 * 1024 * 1024
DRAIN_LIMIT = 16 * BODY_LIMIT
NO_STORE = (b"cache-control", b"no-store")  # an answer may hold a token
NO_SNIFFING = (b"x-content-type-options", b"nosniff")
NO_PAGE = (b"content-security-policy", b"default-src 'none'")  # data, in which a browser runs and loads nothing
JSON = "application/json"
TOO_DEEP = "The body is nested too deeply."


Refuse = Callable[[Exception, Scope, Send], Awaitable[None]]
_any_json = msgspec.json.Decoder(msgspec.Raw)


class TooLarge(CommanderError):
    """The body has more than `BODY_LIMIT` bytes, packed or unpacked, or too many parts."""

    kind = ErrorKind(413, "too_large", "Body too large")

    def __init__(self, text: str = "A body has 4 MiB at most, unpacked; send it in parts.") -> None:
        super().__init__(text)


class NotJson(CommanderError):
    """The body is not JSON, or its compression is not supported."""

    kind = ErrorKind(415, "not_json", "Not JSON")


class BadBody(CommanderError):
    """The body can't be read: broken compression, or JSON that is nested too deeply."""

    kind = ErrorKind(400, "bad_body", "Unreadable body")


class FormLimits(NamedTuple):
    """The most bytes and fields that a form may have."""

    size: int
    fields: int


async def read_body(scope: Scope, receive: Receive, share: Share) -> bytes:
    """Returns the JSON text, unpacked. Raises `TooLarge`, `NotJson`, `BadBody` or `TooManyBodies`."""
    kind, encoding = header(scope, b"content-type") or JSON, header(scope, b"content-encoding")
    if kind != JSON:
        kind = kind.partition(";")[0].strip().lower()
    encoding = (encoding or "identity").strip().lower()
    body = await _read(receive, share, BODY_LIMIT)
    if body is None:
        raise TooLarge
    if body and kind != JSON:
        raise NotJson(f"Send JSON (Content-Type: application/json), not {kind[:60]}.")
    if encoding == "identity":
        return body
    plain = unpacked(body, encoding)
    share.take(len(plain))
    return plain


async def read_form(receive: Receive, share: Share, limits: FormLimits) -> bytes:
    """Returns a form. Raises `TooLarge` before anything is parsed, or `TooManyBodies`."""
    body = await _read(receive, share, limits.size)
    if body is None or body.count(b"&") >= limits.fields:
        raise TooLarge(
            f"A form has {limits.size // 1024} KB and {limits.fields} fields at most. "
            "Go back, shorten it and send it again."
        )
    return body


async def _read(receive: Receive, share: Share, limit: int) -> bytes | None:
    """Returns the whole body; None if it is larger than `limit`.

    A larger body is read to its end (up to a limit), or its sender would get a broken connection and no answer.
    """
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise BadBody("The connection ended before the body did.")
        part = message.get("body", b"")
        size += len(part)
        if size <= limit:
            share.take(len(part))
            parts.append(part)
        elif parts:
            parts.clear()
        if not message.get("more_body", False) or size > DRAIN_LIMIT:
            break
    return b"".join(parts) if size <= limit else None


def read_json(decode: Callable[[bytes], T], body: bytes) -> T:
    """Returns what `decode` reads from the body. Its errors become `BadBody` or `NotJson`."""
    try:
        return decode(body)
    except RecursionError as error:
        raise BadBody(TOO_DEEP) from error
    except msgspec.ValidationError:
        raise  # it is JSON, and a field is wrong
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NotJson(f"The body is not JSON: {error}.") from error


def check_json(body: bytes) -> None:
    """Raises `BadBody` or `NotJson` if the body is not JSON that can be read."""
    read_json(_any_json.decode, body)


def unpacked(body: bytes, encoding: str) -> bytes:
    """Returns the body without its `Content-Encoding`; never more than `BODY_LIMIT`, however small it was packed."""
    try:
        if encoding == "gzip":
            return _gunzipped(body)
        if encoding == "zstd":
            return _unzstd(body)
    except (zlib.error, zstandard.ZstdError) as error:
        raise BadBody(f"The body is not {encoding}, or it is damaged.") from error
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
    unzip = zstandard.ZstdDecompressor(max_window_size=BODY_LIMIT * 2)
    with unzip.stream_reader(body) as reader:  # never returns more than requested
        plain = reader.read(BODY_LIMIT + 1)
    if len(plain) > BODY_LIMIT:
        raise TooLarge
    whole = unzip.decompressobj()  # the reader does not report whether the frame is complete
    whole.decompress(body)
    if not whole.eof:
        raise BadBody("The zstd body ends too early.")
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
    named = headers or [(b"content-type", b"application/json"), length, NO_STORE]
    await send({"type": "http.response.start", "status": status, "headers": [*named, NO_SNIFFING, NO_PAGE]})
    await send({"type": "http.response.body", "body": body, "more_body": False})
