"""A small HTTP/1.1 client for loads: a bounded pool of open connections, one request on each at a time.

A general client spends most of a millisecond on a request, many times what this one does, and a simulated
farm often shares its cores with the commander that it measures.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit

import httptools

REQUEST_TIMEOUT_S = 10
CONNECT_TIMEOUT_S = 5


class WireError(Exception):
    """The commander could not be reached, or did not answer: whether it did its work is unknown."""


class BadAddress(Exception):
    """The URL or the CA's file can't be used; the text says what to do."""


@dataclass(slots=True)
class Answer:
    status: int = 0
    body: bytes = b""
    headers: dict[bytes, bytes] = field(default_factory=dict)

    @property
    def retry_after_s(self) -> float | None:
        value = self.headers.get(b"retry-after", b"")
        return float(value) if value.isdigit() else None


class Connection(asyncio.Protocol):
    """One keep-alive connection."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._answer = Answer()
        self._waiting: asyncio.Future[Answer] | None = None
        self._keeps = True

    @property
    def usable(self) -> bool:
        return self._keeps and self._transport is not None and not self._transport.is_closing()

    async def ask(self, request: bytes) -> Answer:
        """Raises `WireError`, after which the connection is of no use."""
        if self._transport is None:
            raise WireError("the connection is not open")
        self._answer = Answer()
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT_S):
                return await self._waiting
        except TimeoutError as error:
            raise WireError("no answer in time") from error
        finally:
            self._waiting = None

    def close(self) -> None:
        self._keeps = False
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self.connection_lost(error)
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._keeps = False
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(WireError(str(exc or "the connection ended")))

    def on_header(self, name: bytes, value: bytes) -> None:
        self._answer.headers[name.lower()] = value

    def on_body(self, body: bytes) -> None:
        self._answer.body += body

    def on_message_complete(self) -> None:
        self._answer.status = self._parser.get_status_code()
        self._keeps = self._keeps and self._parser.should_keep_alive()
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(self._answer)


class Commander:
    """The addresses of the commander's web nodes, and the connections to them. Made by `open_commander`.

    New connections go to the nodes in turn, and past one that does not answer: as a load balancer would have it.
    """

    def __init__(self, urls: Sequence[str], tls: ssl.SSLContext | None, connections: int) -> None:
        parts = [urlsplit(url) for url in urls]
        self._nodes = deque((part.hostname or "", part.port or (443 if tls else 80)) for part in parts)
        self._tls = tls
        self._authority = parts[0].netloc.encode()
        self._free = asyncio.Semaphore(connections)
        self._idle: list[Connection] = []

    def request(self, method: str, path: str, headers: Mapping[str, str], body: bytes | None = None) -> bytes:
        """A whole request as bytes."""
        lines = [f"{method} {path} HTTP/1.1".encode(), b"Host: " + self._authority]
        lines += [f"{name}: {value}".encode() for name, value in headers.items()]
        if body is not None:
            lines += [b"Content-Type: application/json", b"Content-Length: %d" % len(body)]
        return b"\r\n".join([*lines, b"", body or b""])

    async def send(self, request: bytes) -> Answer:
        """The answer to a whole request; waits for a free connection. Raises `WireError`."""
        async with self._free:
            connection = self._take() or await self._connect()
            try:
                answer = await connection.ask(request)
            except BaseException:
                connection.close()
                raise
            if connection.usable:
                self._idle.append(connection)
            return answer

    def close(self) -> None:
        for connection in self._idle:
            connection.close()

    def _take(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                return connection
        return None

    async def _connect(self) -> Connection:
        """Raises the last node's `WireError` if none answers."""
        for _ in range(len(self._nodes) - 1):
            with suppress(WireError):
                return await self._connect_to_next()
        return await self._connect_to_next()

    async def _connect_to_next(self) -> Connection:
        host, port = self._nodes[0]
        self._nodes.rotate(-1)
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                loop = asyncio.get_running_loop()
                _, connection = await loop.create_connection(Connection, host, port, ssl=self._tls)
        except ssl.SSLCertVerificationError as error:
            raise BadAddress(
                f"The certificate is not trusted ({error.verify_message}); give the commander's with --ca."
            ) from error
        except (OSError, TimeoutError) as error:
            raise WireError(f"no connection: {error}") from error
        return connection


@asynccontextmanager
async def open_commander(*urls: str, ca: str | None, connections: int) -> AsyncIterator[Commander]:
    """The commander whose nodes are at `urls`, verified by the file `ca` or by the system's roots.

    Raises `BadAddress`.
    """
    contexts = [_tls(url, ca) for url in urls]
    commander = Commander(urls, contexts[0], connections)
    try:
        yield commander
    finally:
        commander.close()
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0)  # lets the transports say goodbye


def _tls(url: str, ca: str | None) -> ssl.SSLContext | None:
    parts = urlsplit(url)
    if parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost"):
        return None
    if parts.scheme != "https" or not parts.hostname:
        raise BadAddress(f"{url} can't be used: give https://…, or http:// to this machine itself.")
    try:
        return ssl.create_default_context(cafile=ca)
    except (OSError, ssl.SSLError) as error:
        raise BadAddress(f"{ca} is no certificate in PEM ({error}); give the commander's tls/ca.pem.") from error
