"""The worker's own `/metrics`: a worker has no web server, and Prometheus asks for one page only."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress

from commander.web.exposition import CONTENT_TYPE, Metric, exposition

REQUEST_TIMEOUT_S = 5
REQUEST_BYTES = 8_192


@asynccontextmanager
async def metrics_server(place: str, collect: Callable[[], Iterable[Metric]]) -> AsyncIterator[None]:
    """Serves `GET /metrics` at `place`, such as 127.0.0.1:9464, without a key: there are only counts in it.

    An empty `place`: nowhere. Raises `OSError` where it can't be listened to.
    """
    if not place:
        yield
        return

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                request = await reader.readuntil(b"\r\n\r\n")
                writer.write(_answer_to(request, collect))
                await writer.drain()
        writer.close()

    host, _, port = place.rpartition(":")
    server = await asyncio.start_server(answer, host.strip("[]"), int(port), limit=REQUEST_BYTES)
    async with server:
        yield


def _answer_to(request: bytes, collect: Callable[[], Iterable[Metric]]) -> bytes:
    method, _, address = request.partition(b" ")
    if method not in (b"GET", b"HEAD") or not address.startswith((b"/metrics ", b"/metrics?")):
        return _response("404 Not Found", "text/plain", "There is /metrics here, and nothing else.\n")
    answer = _response("200 OK", CONTENT_TYPE, exposition(collect()))
    return answer if method == b"GET" else answer[: answer.index(b"\r\n\r\n") + 4]


def _response(status: str, kind: str, text: str) -> bytes:
    body = text.encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body
