"""A fake ASIC whose pages want a log-in, and the log-ins for it."""

import asyncio
import hashlib
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from asic_payloads import body_of
from asic_sentry.access import Login
from asic_server import NOT_HTTP, Request, read_request, serving
from asic_wire import framed
from right_answers import moment

PORT = 25_080
OFFSET = PORT - 80  # of all ports, with the fixture `moved`
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

    async def serve(self, reader: asyncio.StreamReader) -> bytes:
        request = await read_request(reader)
        return NOT_HTTP if request is None else self.answer(request)

    def answer(self, request: Request) -> bytes:
        self.seen.append(request.line)
        path = request.line.partition(" ")[2]
        if path == self.log_in[0]:
            is_right = json.loads(request.body) == self.log_in[1]
            return framed("http", b'{"token": "tok-1"}') if is_right and self.token else self.refusal()
        if path not in self.open and not self.is_logged_in(request):
            return self.refusal()
        return framed("http", body_of(self.kind, request.line, moment()))

    def refusal(self) -> bytes:
        digest = f'WWW-Authenticate: Digest realm="{REALM}", nonce="{NONCE}", qop="auth", algorithm=MD5\r\n'
        challenge = self.challenge or (
            digest if self.token is None else f'WWW-Authenticate: Bearer realm="{REALM}"\r\n'
        )
        return f"HTTP/1.1 401 Unauthorized\r\n{challenge}Content-Length: 0\r\n\r\n".encode()

    def is_logged_in(self, request: Request) -> bool:
        if self.token is None:
            return self.is_digest(request)
        return f"\r\n{self.header.replace('{token}', self.token)}\r\n" in request.head

    def is_digest(self, request: Request) -> bool:
        """Returns whether the request proves that its sender knows the password (RFC 7616)."""
        fields = dict(re.findall(r'(\w+)="?([^",\r]+)"?', request.head.partition("Authorization: Digest ")[2]))
        if not fields.keys() >= {"username", "nc", "cnonce", "response"}:
            return False  # nothing, or an answer to another challenge than the usual one
        first = md5(f"{fields['username']}:{REALM}:{RIGHT.password}")
        method, path = request.line.split(" ")
        parts = (first, NONCE, fields["nc"], fields["cnonce"], "auth", md5(f"{method}:{path}"))
        return md5(":".join(parts)) == str(fields["response"])


def md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


@asynccontextmanager
async def locked(network: str, kind: str, token: str | None = None) -> AsyncIterator[tuple[str, LockedAsic]]:
    ip, asic = network.replace(".0/24", ".1"), LockedAsic(kind, token)
    async with serving(ip, PORT, asic.serve):
        yield ip, asic
