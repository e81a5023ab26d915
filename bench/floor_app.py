"""The floor of any request on this machine: reads the body, answers 200, keeps nothing.

`GET /?bytes=N` is answered by N bytes, every other request by a receipt."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

Message = Mapping[str, Any]  # ASGI's own messages, which have no other type here
RECEIPT = b'{"stored":1,"duplicates":0,"rejected":[],"two_sentries":false}'
MADE: dict[bytes, bytes] = {}  # one body for each size that was asked for


async def app(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    while (await receive()).get("more_body"):
        pass
    body = _body(scope["query_string"])
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _body(query: bytes) -> bytes:
    if not query:
        return RECEIPT
    if query not in MADE:
        MADE[query] = b"x" * int(query.removeprefix(b"bytes="))
    return MADE[query]


async def _lifespan(receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]) -> None:
    for answer in ("lifespan.startup.complete", "lifespan.shutdown.complete"):
        await receive()
        await send({"type": answer})
