"""Servers that are not a commander, as a mistyped URL meets them: each has one answer to everything."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from asic_server import serving
from authorities import older_authority


def http(status: str, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "Connection: close", "", ""]
    return "\r\n".join(lines).encode() + body


HTML = b"<!doctype html><title>Router</title><form action=/login></form>"
ANSWERS = {
    "a web page": http("200 OK", HTML, "Content-Type: text/html"),
    "a web page that is not found": http("404 Not Found", HTML, "Content-Type: text/html"),
    "a proxy's log-in": http("407 Proxy Authentication Required", HTML),
    "a page behind a password": http("401 Unauthorized", HTML, 'WWW-Authenticate: Basic realm="NAS"'),
    "another API": http("200 OK", b'{"status":"ok","version":"1.2"}', "Content-Type: application/json"),
    "another API's refusal": http("401 Unauthorized", b'{"code":16,"message":"expected token"}'),
    "deep JSON": http("200 OK", b"[" * 60_000, "Content-Type: application/json"),
    "another address": http("301 Moved", b"", "Location: https://[nowhere"),
    "a busy proxy": http("503 Service Unavailable", HTML, "Retry-After: soon"),
    "broken gzip": http("200 OK", b"noise", "Content-Encoding: gzip"),
    "half an answer": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
    "half a header": b"HTTP/1.1 200 OK\r\nContent-Le",
    "ssh": b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
    "a pool": b'{"id":1,"result":null,"error":[20,"unknown","method"]}\n\n',
    "nothing": b"",
}


@asynccontextmanager
async def wrong_server(answer: bytes, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Answers every request with that on a port of 127.0.0.1, and closes the connection."""

    async def serve(reader: asyncio.StreamReader) -> bytes:
        await reader.read(65536)
        return answer

    async with serving("127.0.0.1", 0, serve, tls) as port:
        yield port


def tls_of_somebody(folder: Path, name: str = "localhost") -> ssl.SSLContext:
    """A TLS context for that name, by an authority that no client knows yet."""
    older_authority(folder, datetime.now(UTC), server_names=(name,))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    return context
