"""A fake ASIC whose pages want a log-in, and the log-ins for it."""

import asyncio
import hashlib
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from asic_payloads import body_of
from asic_sentry.access import Login
from asic_wire import framed
from right_answers import moment

PORT = 25_080
REALM, NONCE = "Daoge", "a1b2c3"
TOKEN = "tok-1"
RIGHT, WRONG = Login("root", "s3cret päss"), Login("root", "other")


@dataclass
class LockedAsic:
    """A fake ASIC whose pages want a log-in. `seen` has the first line and the body of each request."""

    kind: str
    token: str | None = None
    log_in: tuple[str, dict[str, str]] = ("/api/v1/unlock", {"pw": "s3cret päss"})
    header: str = "Authorization: Bearer {token}"
    open: tuple[str, ...] = ()  # pages that need no log-in
    challenge: str = ""  # the usual one: HTTP Digest, or Bearer where a token is given
    seen: list[str] = field(default_factory=list)
    serving: set["asyncio.Task[None]"] = field(default_factory=set)

    def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self.serve_one(reader, writer))
        self.serving.add(task)
        task.add_done_callback(self.serving.discard)

    async def end(self) -> None:
        """Ends what is still being served."""
        await let_the_server_take_what_has_connected()
        for task in self.serving:
            task.cancel()
        await asyncio.gather(*self.serving, return_exceptions=True)
        await let_the_server_take_what_has_connected()

    async def serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers one request. What is no HTTP is a question of another dialect."""
        try:
            await self.answer_one(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async def answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        length = re.search(r"Content-Length: (\d+)", head)
        body = await reader.readexactly(int(length[1])) if length else b""
        is_http = "HTTP/1.1" in head
        writer.write(self.answer(head, body) if is_http else b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    def answer(self, head: str, body: bytes) -> bytes:
        method, path = head.split(" ", 2)[:2]
        self.seen.append(f"{method} {path}")
        if path == self.log_in[0]:
            is_right = json.loads(body) == self.log_in[1]
            return framed("http", b'{"token": "tok-1"}') if is_right and self.token else self.refusal()
        if path not in self.open and not self.is_logged_in(head, method, path):
            return self.refusal()
        return framed("http", body_of(self.kind, f"{method} {path}", moment()))

    def refusal(self) -> bytes:
        digest = f'WWW-Authenticate: Digest realm="{REALM}", nonce="{NONCE}", qop="auth", algorithm=MD5\r\n'
        challenge = self.challenge or (
            digest if self.token is None else f'WWW-Authenticate: Bearer realm="{REALM}"\r\n'
        )
        return f"HTTP/1.1 401 Unauthorized\r\n{challenge}Content-Length: 0\r\n\r\n".encode()

    def is_logged_in(self, head: str, method: str, path: str) -> bool:
        if self.token is None:
            return self.is_digest(head, method, path)
        return f"\r\n{self.header.replace('{token}', self.token)}\r\n" in head

    def is_digest(self, head: str, method: str, path: str) -> bool:
        """Returns whether the request proves that its sender knows the password (RFC 7616)."""
        fields = dict(re.findall(r'(\w+)="?([^",\r]+)"?', head.partition("Authorization: Digest ")[2]))
        if not fields.keys() >= {"username", "nc", "cnonce", "response"}:
            return False  # nothing, or an answer to another challenge than the usual one
        first = md5(f"{fields['username']}:{REALM}:{RIGHT.password}")
        parts = (first, NONCE, fields["nc"], fields["cnonce"], "auth", md5(f"{method}:{path}"))
        return md5(":".join(parts)) == str(fields["response"])


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


@asynccontextmanager
async def locked(network: str, kind: str, token: str | None = None) -> AsyncIterator[tuple[str, LockedAsic]]:
    ip, asic = network.replace(".0/24", ".1"), LockedAsic(kind, token)
    server = await asyncio.start_server(asic.serve, ip, PORT)
    async with server:
        yield ip, asic
        await asic.end()


async def let_the_server_take_what_has_connected() -> None:
    """asyncio leaks a connection that it has accepted but not yet shown when its server is closed."""
    for _turn in range(10):
        await asyncio.sleep(0)
