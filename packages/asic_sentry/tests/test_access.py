"""Log-ins for reading: used only if they were entered, only for reads, and never shown."""

import asyncio
import hashlib
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from asic_payloads import body_of
from asic_sentry.access import Login, using
from asic_sentry.asics import store
from asic_sentry.asics.login_check import refused
from asic_sentry.asics.logins import enter_login, load_logins, login_for, move_logins
from asic_sentry.failures import FailureKind, PollFailure
from asic_sentry.identify import identify
from asic_sentry.poll import Identity, Sample, poll
from asic_wire import framed
from right_answers import moment
from sentry_kit import store as kit
from sentry_kit.errors import BadUse

PORT = 25_080
REALM, NONCE = "Daoge", "a1b2c3"
RIGHT, WRONG = Login("root", "s3cret päss"), Login("root", "other")


@dataclass
class LockedAsic:
    """A fake ASIC whose pages want a log-in. `seen` has the first line and the body of each request."""

    kind: str
    token: str | None = None
    seen: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers one request. What is no HTTP is a question of another dialect."""
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            length = re.search(r"Content-Length: (\d+)", head)
            body = await reader.readexactly(int(length[1])) if length else b""
            is_http = "HTTP/1.1" in head
            writer.write(self.answer(head, body) if is_http else b"HTTP/1.1 400 Bad Request\r\n\r\n")
            await writer.drain()
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    def answer(self, head: str, body: bytes) -> bytes:
        method, path = head.split(" ", 2)[:2]
        self.seen.append(f"{method} {path}")
        if path == "/api/v1/unlock":
            is_right = json.loads(body) == {"pw": RIGHT.password}
            return framed("http", b'{"token": "tok-1"}') if is_right and self.token else self.refusal()
        if not (self.is_digest(head, method, path) if self.token is None else f"Bearer {self.token}" in head):
            return self.refusal()
        return framed("http", body_of(self.kind, f"{method} {path}", moment()))

    def refusal(self) -> bytes:
        challenge = f'WWW-Authenticate: Digest realm="{REALM}", nonce="{NONCE}", qop="auth", algorithm=MD5\r\n'
        return f"HTTP/1.1 401 Unauthorized\r\n{challenge}Content-Length: 0\r\n\r\n".encode()

    def is_digest(self, head: str, method: str, path: str) -> bool:
        """Returns whether the request proves that its sender knows the password (RFC 7616)."""
        fields = dict(re.findall(r'(\w+)="?([^",\r]+)"?', head.partition("Authorization: Digest ")[2]))
        if not fields:
            return False
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
        await let_the_server_take_what_has_connected()


async def let_the_server_take_what_has_connected() -> None:
    """asyncio leaks a connection that it has accepted but not yet shown when its server is closed."""
    for _turn in range(10):
        await asyncio.sleep(0)


@pytest.mark.parametrize(("kind", "token"), [("elphapex", None), ("antminer_web", None), ("vnish", "tok-1")])
async def test_with_the_right_password_the_device_is_identified_and_polled(
    network: str, kind: str, token: str | None
) -> None:
    async with locked(network, kind, token) as (ip, asic):
        with using(RIGHT):
            found = await identify(ip, PORT)
            assert isinstance(found, Identity), found
            asic.seen.clear()
            sample = await poll(found)
    assert found.dialect == kind
    assert isinstance(sample, Sample)
    assert sample.log.hashrate_hs
    assert len(asic.seen) <= 4  # the challenge or the token of the first time is used again


async def test_without_a_password_none_is_tried(network: str) -> None:
    async with locked(network, "elphapex") as (ip, asic):
        found = await identify(ip, PORT)
    assert isinstance(found, PollFailure)
    assert found.kind is FailureKind.ERROR_STATUS
    assert found.detail.startswith("This is a DG firmware (Elphapex). HTTP 401 Unauthorized, realm “Daoge”.")
    assert "asic-sentry password" in found.detail
    assert not any("unlock" in each for each in asic.seen)


async def test_a_wrong_password_is_called_wrong_and_not_repeated_within_a_question(network: str) -> None:
    async with locked(network, "elphapex") as (ip, asic):
        with using(RIGHT):
            found = await identify(ip, PORT)
        assert isinstance(found, Identity)
        asic.seen.clear()
        with using(WRONG):
            failure = await poll(found)
    assert isinstance(failure, PollFailure)
    assert failure.kind is FailureKind.ERROR_STATUS
    assert failure.detail.endswith("Enter the right one on the sentry's page, or with “asic-sentry password”.")
    assert WRONG.password not in failure.detail
    assert len(asic.seen) == 2  # without it, for the challenge, and once with it


async def test_a_token_that_has_expired_is_asked_for_again(network: str) -> None:
    async with locked(network, "vnish", "tok-1") as (ip, asic):
        with using(RIGHT):
            found = await identify(ip, PORT)
            assert isinstance(found, Identity)
            asic.token = "tok-2"
            failure = await poll(found)  # the fake still gives the first token
            assert isinstance(failure, PollFailure)
            asic.token = "tok-1"
            assert isinstance(await poll(found), Sample)


async def test_a_password_is_checked_before_it_is_stored(network: str) -> None:
    async with locked(network, "elphapex") as (ip, _asic):
        with using(RIGHT):
            found = await identify(ip, PORT)
        assert isinstance(found, Identity)
        assert await refused(found, RIGHT) is None
        reason = await refused(found, WRONG)
    assert reason is not None
    assert "It refuses the password that was entered." in reason
    assert WRONG.password not in reason
    assert await refused(found, WRONG) is None  # it does not answer: nothing says that the password is wrong


def test_a_password_is_stored_by_address_or_model_and_never_shown(tmp_path: Path) -> None:
    with closing(kit.open_store(tmp_path / store.STORE, store.SCHEMA)) as db:
        sentences = [
            enter_login(db, "192.0.2.9", None, RIGHT),
            enter_login(db, None, "Elphapex DG1+", WRONG),
        ]
        logins = load_logins(db)
        assert login_for(logins, "192.0.2.9", "Elphapex DG1+") == RIGHT
        assert login_for(logins, "192.0.2.8", "elphapex dg1+") == WRONG
        assert login_for(logins, "192.0.2.8", "Elphapex DG1") is None
        move_logins(db, {"192.0.2.9": "192.0.2.7"})
        assert set(load_logins(db)) == {"ip 192.0.2.7", "model elphapexdg1+"}
        sentences.append(enter_login(db, "192.0.2.7", None, None))
        assert "ip 192.0.2.7" not in load_logins(db)
        with pytest.raises(BadUse):
            enter_login(db, "192.0.2.7", None, Login("root", ""))
    for text in (*sentences, repr(RIGHT), repr(logins)):
        assert RIGHT.password not in text
        assert WRONG.password not in text
    assert (tmp_path / store.STORE).stat().st_mode & 0o077 == 0
