"""A server of one test. It answers each connection once and closes it: an open one would make another test fail."""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple

NOT_HTTP = b"HTTP/1.1 400 Bad Request\r\n\r\n"
_HTTP = (b"GET ", b"POST")
Answer = Callable[[asyncio.StreamReader], Awaitable[bytes]]


class Request(NamedTuple):
    """A request over HTTP. `line` is "GET /status"."""

    line: str
    head: str
    body: str


async def read_request(reader: asyncio.StreamReader) -> Request | None:
    """Returns the request; None at once if it is no HTTP, but the question of another dialect."""
    start = await reader.readexactly(4)
    if start not in _HTTP:
        return None
    head = (start + await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    length = re.search(r"Content-Length: (\d+)", head)
    body = await reader.readexactly(int(length[1])) if length else b""
    return Request(" ".join(head.split(" ", 2)[:2]), head, body.decode())


@asynccontextmanager
async def serving(ip: str, port: int, answer: Answer, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Serves at this port, or at a free one for 0; returns the port. What is still being served ends with it."""
    tasks = set[asyncio.Task[None]]()

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(await answer(reader))
            await writer.drain()
        except (asyncio.IncompleteReadError, OSError):  # the sentry has gone
            pass
        finally:
            writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(serve_one(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(serve, ip, port, ssl=tls)
    async with server:
        yield int(server.sockets[0].getsockname()[1])
        await _let_it_take_what_has_connected()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await _let_it_take_what_has_connected()


async def _let_it_take_what_has_connected() -> None:
    """asyncio leaks a connection that it has accepted but not yet shown when its server is closed."""
    for _turn in range(10):
        await asyncio.sleep(0)
