"""Log-ins for reading: used only if they were entered, only for reads, and never shown."""

import asyncio
import hashlib
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest
from asic_payloads import body_of
from asic_sentry.access import Login, using
from asic_sentry.asics import store
from asic_sentry.asics.asic import NO_OVERRIDE, Asic, Rig
from asic_sentry.asics.login_check import refusal_of_pages, refused
from asic_sentry.asics.logins import enter_login, load_logins, login_for, move_logins
from asic_sentry.device import Device, ask
from asic_sentry.dialects.dialect import Dialect, LibraryCall, Question
from asic_sentry.dialects.registry import ALLOWED, BY_NAME, DIALECTS
from asic_sentry.failures import FailureKind, PollFailure
from asic_sentry.identify import identify
from asic_sentry.poll import Identity, Sample, poll, specs_of, utc_now
from asic_wire import framed
from fake_asics import make_asics, running
from protocol.asic_messages import AsicSpecs
from protocol.tokens import TokenKind, new_token
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
    log_in: tuple[str, dict[str, str]] = ("/api/v1/unlock", {"pw": "s3cret päss"})
    header: str = "Authorization: Bearer {token}"
    open: str = ""  # a page that needs no log-in
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
        if path == self.log_in[0]:
            is_right = json.loads(body) == self.log_in[1]
            return framed("http", b'{"token": "tok-1"}') if is_right and self.token else self.refusal()
        if path != self.open and not self.is_logged_in(head, method, path):
            return self.refusal()
        return framed("http", body_of(self.kind, f"{method} {path}", moment()))

    def refusal(self) -> bytes:
        challenge = f'WWW-Authenticate: Digest realm="{REALM}", nonce="{NONCE}", qop="auth", algorithm=MD5\r\n'
        return f"HTTP/1.1 401 Unauthorized\r\n{challenge}Content-Length: 0\r\n\r\n".encode()

    def is_logged_in(self, head: str, method: str, path: str) -> bool:
        if self.token is None:
            return self.is_digest(head, method, path)
        return f"\r\n{self.header.replace('{token}', self.token)}\r\n" in head

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


class Pages(NamedTuple):
    """Pages of a fake that want a token: the request for it, with the right password, and how the token is given and
    shown. `denial` is the answer without one."""

    kind: str
    port: int
    log_in: str
    answer: str
    header: str
    denial: str


TOKEN = "tok-1"
PAGES = (
    Pages(
        "auradine",
        8080,
        'POST /token {"command":"token","user":"root","password":"s3cret päss"}',
        '{"STATUS":[{"STATUS":"S"}],"Token":[{"Token":"tok-1"}]}',
        f"Token: {TOKEN}",
        '{"STATUS":[{"STATUS":"E","Msg":"Invalid or expired token"}]}',
    ),
    Pages(
        "innosilicon",
        80,
        "POST /api/auth username=root&password=s3cret%20p%C3%A4ss",
        '{"jwt":"tok-1"}',
        f"Authorization: Bearer {TOKEN}",
        '{"success":false,"token":"expired"}',
    ),
    Pages(
        "goldshell",
        80,
        "GET /user/login?username=root&password=s3cret%20p%C3%A4ss&cipher=false",
        '{"JWT Token":"tok-1"}',
        f"Authorization: Bearer {TOKEN}",
        "<html>Log in</html>",
    ),
)
BASE = 20_000


@asynccontextmanager
async def with_pages(
    pages: Pages, network: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Identity, list[str]]]:
    """A fake ASIC with an open API and locked pages, at usual ports + 20,000; and the requests to its pages."""
    dialect = moved(BY_NAME[pages.kind])
    monkeypatch.setitem(BY_NAME, pages.kind, dialect)
    monkeypatch.setitem(cast(dict[str, Any], ALLOWED), pages.kind, {each.name: each for each in dialect.questions})
    seen: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        length = re.search(r"Content-Length: (\d+)", head)
        body = (await reader.readexactly(int(length[1]))).decode() if length else ""
        asked = " ".join([*head.split(" ", 2)[:2], *([body] if body else [])])
        seen.append(asked)
        if asked == pages.log_in:
            answer = pages.answer.encode()
        elif f"\r\n{pages.header}\r\n" in head:
            answer = body_of(pages.kind, asked, moment())
        else:
            answer = pages.denial.encode()
        writer.write(framed("http", answer))
        await writer.drain()
        writer.close()

    asics = make_asics(1, network, [pages.kind], port_base=BASE)
    async with running(asics) as farm:
        server = await asyncio.start_server(serve, farm.asics[0].ip, pages.port + BASE)
        async with server:
            yield Identity(ip=farm.asics[0].ip, port=dialect.port, dialect=pages.kind, specs=AsicSpecs()), seen
            await let_the_server_take_what_has_connected()


def moved(dialect: Dialect) -> Dialect:
    def at_other_port(question: Question | LibraryCall) -> Question | LibraryCall:
        if isinstance(question, Question) and question.port is not None:
            return question._replace(port=question.port + BASE)
        return question

    return dialect._replace(
        port=dialect.port + BASE,
        poll_questions=tuple(map(at_other_port, dialect.poll_questions)),
        specs_questions=tuple(map(at_other_port, dialect.specs_questions)),
    )


@pytest.mark.parametrize("pages", PAGES, ids=lambda pages: pages.kind)
async def test_pages_beside_an_open_api_add_power_and_mac_with_the_password(
    pages: Pages, network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with with_pages(pages, network, monkeypatch) as (identity, seen):
        with using(RIGHT):
            sample, about = await poll(identity), await specs_of(identity)
            again = await poll(identity)
    assert isinstance(sample, Sample)
    assert isinstance(again, Sample)
    assert isinstance(about, AsicSpecs)
    assert sample.log.power_w
    assert again.log.power_w
    assert about.mac is not None
    assert seen.count(pages.log_in) == 1  # the token is used again


@pytest.mark.parametrize("pages", PAGES, ids=lambda pages: pages.kind)
async def test_pages_beside_an_open_api_are_left_alone_without_a_password(
    pages: Pages, network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with with_pages(pages, network, monkeypatch) as (identity, seen):
        sample, about = await poll(identity), await specs_of(identity)
    assert isinstance(sample, Sample)
    assert isinstance(about, AsicSpecs)
    assert (sample.log.power_w, about.mac) == (None, None)
    assert sample.log.hashrate_hs
    assert [each for each in seen if each != "GET /mcb/status"] == []  # which needs no password in a Goldshell


@pytest.mark.parametrize("pages", PAGES, ids=lambda pages: pages.kind)
async def test_a_wrong_password_for_pages_costs_no_sample_and_is_not_sent_again(
    pages: Pages, network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with with_pages(pages, network, monkeypatch) as (identity, seen):
        with using(WRONG):
            samples = [await poll(identity) for _ in range(3)]
        noted, not_noted = (refusal_of_pages(identity, login) for login in (WRONG, RIGHT))
        log_ins = [each for each in seen if WRONG.password in each]
        reason = await refused(identity, WRONG)
        assert await refused(identity, RIGHT) is None
    assert all(isinstance(each, Sample) and each.log.hashrate_hs and each.log.power_w is None for each in samples)
    assert len(log_ins) == 1
    assert (noted or "").startswith("It refuses the password")
    assert not_noted is None
    assert reason is not None  # entered again, it is tried again
    assert WRONG.password not in reason


@pytest.mark.parametrize("pages", PAGES, ids=lambda pages: pages.kind)
async def test_pages_of_an_asic_at_an_unusual_port_are_not_asked(
    pages: Pages, network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with with_pages(pages, network, monkeypatch) as (identity, seen):
        monkeypatch.setitem(BY_NAME, pages.kind, BY_NAME[pages.kind]._replace(port=4028))
        with using(RIGHT):
            sample = await poll(identity)
    assert isinstance(sample, Sample)
    assert sample.log.power_w is None
    assert seen == []


async def test_a_braiins_os_over_rest_takes_the_token_without_a_word_before_it(network: str) -> None:
    async with locked(network, "braiins_rest", TOKEN) as (ip, asic):
        asic.log_in = "/api/v1/auth/login", {"username": RIGHT.user, "password": RIGHT.password}
        asic.header, asic.open = "Authorization: {token}", "/api/v1/version"
        without = await identify(ip, PORT)
        with using(RIGHT):
            found = await identify(ip, PORT)
            assert isinstance(found, Identity), found
            sample = await poll(found)
    assert isinstance(without, PollFailure)
    assert "It needs a password." in without.detail
    assert found.dialect == "braiins_rest"
    assert (found.specs.model, found.specs.mac is None) == ("S19 XP", False)
    assert "power target 3031 W" in (found.specs.software_version or "")
    assert isinstance(sample, Sample)
    assert sample.log.power_w


async def test_an_asic_that_refuses_its_password_is_read_without_it_where_that_is_possible(
    network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    offset = PORT - 80
    usual = tuple(dialect._replace(port=dialect.port + offset) for dialect in DIALECTS)
    monkeypatch.setattr("asic_sentry.identify.DIALECTS", usual)
    monkeypatch.setattr("asic_sentry.scan.DIALECTS", usual)
    async with (
        running(make_asics(1, network, ["braiins"], port_base=offset)),
        locked(network, "braiins_rest", TOKEN) as (ip, asic),
    ):
        asic.log_in = "/api/v1/auth/login", {"username": RIGHT.user, "password": RIGHT.password}
        asic.header, asic.open = "Authorization: {token}", "/api/v1/version"
        with using(RIGHT):
            found = await identify(ip)
        assert isinstance(found, Identity)
        assert found.dialect == "braiins_rest"
        device = device_of(found)
        device.login = RIGHT
        assert isinstance(await ask(device, lambda _device: utc_now(), lambda: 0.0), Sample)
        asic.log_in = "/api/v1/auth/login", {"username": RIGHT.user, "password": "another one"}
        asic.token = "tok-2"
        for _ in range(3):
            failure = await ask(device, lambda _device: utc_now(), lambda: 0.0)
            assert isinstance(failure, PollFailure)
            assert "It refuses the password" in failure.detail
            device.failed(failure)
        sample = await ask(device, lambda _device: utc_now(), lambda: 0.0)
    assert isinstance(sample, Sample)
    assert sample.log.hashrate_hs
    assert device.asic.identity.dialect == "braiins"


def device_of(identity: Identity) -> Device:
    asic = Asic(
        id=1,
        identity=identity,
        operator_model=None,
        rig=Rig(None, None),
        token=new_token(TokenKind.ASIC, pin=None),
        mac=None,
        override=NO_OVERRIDE,
        refusal=None,
        failure=None,
        failing_since=None,
        answered=True,
        identified_at=utc_now(),
        news=None,
    )
    return Device(asic, NO_OVERRIDE, specs_due_s=1.0, identify_due_s=1.0)


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
