"""Real servers that messages are sent to in tests, and a farm's channels without a farm."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
from commander.certificates import key_pem, make_ca, make_server, new_key, pem_of
from commander.notifications.messages import Message
from commander.notifications.news import Event
from commander.readings.severity import Severity
from cryptography import x509
from cryptography.x509.oid import NameOID

NIGHT = datetime(2026, 11, 29, 3, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Received:
    """A request that the sink has got whole."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> dict[str, object]:
        return msgspec.json.decode(self.body, type=dict[str, object])


@dataclass
class Answer:
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b"{}"


HANGS = Answer(status=0)


@dataclass
class Sink:
    """An HTTP server on loopback. `answer` is called with each request; it may change at any time."""

    port: int = 0
    answer: Callable[[Received], Answer] = lambda request: Answer()
    received: list[Received] = field(default_factory=list)
    connections: int = 0
    scheme: str = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def answers(self, status: int, body: bytes = b"", **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answer = lambda request: Answer(status, named, body)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, path, _ = head[0].split(" ")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            request = Received(method, path, headers, body)
            self.received.append(request)
            answer = self.answer(request)
            if answer is HANGS:
                await reader.read()  # until the other side gives up
                return
            more = {"Content-Length": str(len(answer.body)), "Connection": "close", **answer.headers}
            lines = "".join(f"{name}: {value}\r\n" for name, value in more.items())
            writer.write(f"HTTP/1.1 {answer.status} X\r\n{lines}\r\n".encode("latin-1") + answer.body)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def running_sink(context: ssl.SSLContext | None = None) -> AsyncIterator[Sink]:
    sink = Sink(scheme="https" if context else "http")
    server = await asyncio.start_server(sink.serve, "127.0.0.1", 0, ssl=context)
    sink.port = server.sockets[0].getsockname()[1]
    try:
        yield sink
    finally:
        server.close()


@dataclass(frozen=True)
class Authority:
    """A CA of its own. `server` is a context for servers with these names, `client` one that trusts the CA."""

    folder: Path

    def server(self, *names: str) -> ssl.SSLContext:
        ca_key, key = new_key(), new_key()
        ca = make_ca(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "CA of the test")]), ca_key)
        certificate = make_server(ca, ca_key, key, list(names), now=datetime.now(UTC))
        (self.folder / "ca.pem").write_bytes(pem_of(ca))
        (self.folder / "server.pem").write_bytes(pem_of(certificate))
        (self.folder / "server.key").write_bytes(key_pem(key))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "server.pem", self.folder / "server.key")
        return context

    def client(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.folder / "ca.pem"))


def a_message(event: Event = Event.OPENED, **more: object) -> Message:
    """Returns a critical message about 38 silent rigs."""
    values: dict[str, object] = {
        "event": event,
        "severity": Severity.CRITICAL,
        "heading": "Critical: 38 rigs stopped reporting within 20 s",
        "lines": ("In common: tag switch:sw-3 (38 of its 40 rigs; 0 of 210 others).", "rig-01, rig-02 and 36 more"),
        "url": "https://farm.example:8443/incidents",
        "incident_id": 7,
        "incident": msgspec.Raw(b'{"id":7,"title":"38 rigs"}'),
        "sent_at": NIGHT,
    }
    return msgspec.convert({**values, **more}, Message)


def later(seconds: float = 0, *, hours: float = 0) -> datetime:
    return NIGHT + timedelta(seconds=seconds, hours=hours)


def host_of(url: str) -> str:
    return urlsplit(url).netloc
