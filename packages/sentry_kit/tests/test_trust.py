import asyncio
import datetime
import hashlib
import ipaddress
import re
import sqlite3
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st
from protocol.tokens import Token, TokenKind
from sentry_kit import store
from sentry_kit.client import CommanderError, commander_client
from sentry_kit.enrol import check_enrolment, trusted_ca
from sentry_kit.errors import EnrolmentError
from sentry_kit.rig_uploader import RigUploader
from sentry_kit.spool import Limits, Spool
from sentry_kit.store import Enrolment, State
from sentry_kit.trust import check_url, public_key_sha256, tls_context
from sentry_kit.worker import Worker

DAY = datetime.timedelta(days=1)


class Authority:
    def __init__(self, name: str) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = _sign(name, self.key.public_key(), name, self.key, is_ca=True)
        self.pem = self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def pem_of(self, starts: float, ends: float) -> str:
        """Another certificate of this authority, with the same key; valid from `starts` to `ends` days from now."""
        name = _name_of(self.certificate)
        again = _sign(name, self.key.public_key(), name, self.key, days=(starts, ends), is_ca=True)
        return again.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def pin(self) -> str:
        """As the commander makes it."""
        info = self.certificate.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return hashlib.sha256(info).hexdigest()

    def server_context(self, folder: Path, *names: str, starts: float = -1, ends: float = 30) -> ssl.SSLContext:
        """For a server with these names; valid from `starts` to `ends` days from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _sign("a server", key.public_key(), _name_of(self.certificate), self.key, names, (starts, ends))
        path = folder / f"{certificate.serial_number}.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context


def _name_of(certificate: x509.Certificate) -> str:
    return str(certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def _sign(
    subject: str,
    public_key: ec.EllipticCurvePublicKey,
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    names: tuple[str, ...] = (),
    days: tuple[float, float] = (-1, 30),
    *,
    is_ca: bool = False,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + days[0] * DAY)
        .not_valid_after(now + days[1] * DAY)
        .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


SECRET = "ab" * 32


@asynccontextmanager
async def recording_server(context: ssl.SSLContext, ca_pem: str) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Answers every request with the authority's certificate; what it was asked is in the list."""
    asked: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.read(65536)
        if request:
            asked.append(request)
            body = ca_pem.encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked


def test_the_public_key_of_a_certificate_is_found_as_cryptography_finds_it() -> None:
    authority = Authority("Farm")
    der = authority.certificate.public_bytes(serialization.Encoding.DER)
    assert public_key_sha256(der) == authority.pin


@settings(deadline=None)
@given(st.binary(max_size=300), st.integers(0, 300))
def test_what_is_no_certificate_has_no_public_key_or_another_one(noise: bytes, cut: int) -> None:
    der = AUTHORITY.certificate.public_bytes(serialization.Encoding.DER)
    assert public_key_sha256(noise) != AUTHORITY.pin
    assert public_key_sha256(der[:cut]) in (None, AUTHORITY.pin)


AUTHORITY = Authority("Farm")


@pytest.mark.parametrize(
    ("typed", "url"),
    [
        (" https://Commander.lan:8443/ ", "https://commander.lan:8443"),
        ("https://[::1]:8443", "https://[::1]:8443"),
        ("http://localhost:8080", "http://localhost:8080"),
    ],
)
def test_a_url_is_normalised(typed: str, url: str) -> None:
    assert check_url(typed) == url


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "commander.lan:8443",
        "ftp://x",
        "https://",
        "https://x:99999",
        "https://u:p@x",
        "https://x/?a=b",
        "https://[x",
    ],
)
def test_what_is_no_url_of_a_commander_is_refused(typed: str) -> None:
    with pytest.raises(EnrolmentError, match="looks like https://"):
        check_url(typed)


@pytest.mark.parametrize("rest", ["/minewarden/", "/cpu-gpu/7", "/#rigs"])
def test_what_stands_behind_the_port_is_refused_with_the_url_to_use(rest: str) -> None:
    with pytest.raises(EnrolmentError, match=r"use https://farm\.example:8443 alone"):
        check_url(f"https://farm.example:8443{rest}")


@pytest.mark.parametrize("typed", ["http://commander.lan:8080", "http://10.0.0.1", "http://127.0.0.1.evil.example"])
def test_plain_http_is_refused_beyond_this_machine(typed: str) -> None:
    with pytest.raises(EnrolmentError, match="https:// URL"):
        check_url(typed)


async def test_the_authority_that_a_token_names_is_fetched_without_the_token(tmp_path: Path) -> None:
    token = Token(TokenKind.RIG, SECRET, AUTHORITY.pin)
    context = AUTHORITY.server_context(tmp_path, "127.0.0.1")
    async with recording_server(context, AUTHORITY.pem) as (url, asked):
        assert await trusted_ca(url, token) == AUTHORITY.pem
    assert [request.split(b"\r\n")[0] for request in asked] == [b"GET /ca.pem HTTP/1.1"]
    assert SECRET[:8].encode() not in asked[0]
    assert b"authorization" not in asked[0].lower()


async def test_the_pinned_certificate_is_found_in_a_chain(tmp_path: Path) -> None:
    token = Token(TokenKind.RIG, SECRET, AUTHORITY.pin)
    chain = "some words\n" + Authority("Another").pem + AUTHORITY.pem
    async with recording_server(AUTHORITY.server_context(tmp_path, "127.0.0.1"), chain) as (url, _asked):
        assert await trusted_ca(url, token) == AUTHORITY.pem


@pytest.mark.parametrize("served", [Authority("Impostor").pem, "", "-----BEGIN CERTIFICATE-----", "x" * 100_000])
async def test_another_commander_is_refused_before_it_learns_anything(tmp_path: Path, served: str) -> None:
    token = Token(TokenKind.RIG, SECRET, AUTHORITY.pin)
    async with recording_server(AUTHORITY.server_context(tmp_path, "127.0.0.1"), served) as (url, asked):
        with pytest.raises(EnrolmentError, match="not the commander that the token was made by") as caught:
            await check_enrolment(url, str(token), TokenKind.RIG, "test")
    assert caught.value.field == "url"
    assert len(asked) == 1
    assert SECRET[:8].encode() not in asked[0]


@pytest.mark.parametrize(
    ("names", "days", "sentence"),
    [
        (("elsewhere.example",), (-1.0, 30.0), "not for “127.0.0.1”"),
        (("127.0.0.1",), (-30.0, -1.0), "has expired"),
        (("127.0.0.1",), (1.0, 30.0), "clock"),
    ],
)
async def test_a_bad_certificate_says_what_to_do(
    tmp_path: Path, names: tuple[str, ...], days: tuple[float, float], sentence: str
) -> None:
    context = AUTHORITY.server_context(tmp_path, *names, starts=days[0], ends=days[1])
    assert sentence in await _refusal(context, AUTHORITY.pem)


async def test_another_authority_is_refused_and_nothing_is_sent(tmp_path: Path) -> None:
    impostor = Authority("Farm").server_context(tmp_path, "127.0.0.1")
    assert "not from the authority" in await _refusal(impostor, AUTHORITY.pem)


async def test_a_commander_that_the_system_does_not_trust_is_refused_without_a_pin(tmp_path: Path) -> None:
    assert "not from the authority" in await _refusal(AUTHORITY.server_context(tmp_path, "127.0.0.1"), None)


@pytest.mark.parametrize("days", [(-900.0, -1.0), (1.0, 900.0)], ids=["expired", "not yet valid"])
async def test_an_authority_that_was_renewed_with_its_key_is_trusted_in_place_of_the_old_one(
    tmp_path: Path, db: sqlite3.Connection, days: tuple[float, float]
) -> None:
    old, renewed = AUTHORITY.pem_of(*days), AUTHORITY.pem_of(-20_000, 900)
    async with recording_server(AUTHORITY.server_context(tmp_path, "127.0.0.1"), renewed) as (url, asked):
        trusted = await _trusted_after(db, url, old, lambda enrolment: enrolment.ca_pem != old)
        assert trusted == renewed == _stored_ca(db)
    assert [request.split(b"\r\n")[0] for request in asked[:2]] == [b"GET /ca.pem HTTP/1.1", b"GET /healthz HTTP/1.1"]
    assert not any(b"authorization" in request.lower() for request in asked[:2])


@pytest.mark.parametrize("served", ["another authority", "the old one", "one that has expired too", "noise"])
async def test_no_other_certificate_takes_the_place_of_the_authority(
    tmp_path: Path, db: sqlite3.Connection, served: str
) -> None:
    old = AUTHORITY.pem_of(-900, -1)
    answer = {
        "another authority": Authority("Farm").pem,
        "the old one": old,
        "one that has expired too": AUTHORITY.pem_of(-900, -2),
    }.get(served, served)
    async with recording_server(AUTHORITY.server_context(tmp_path, "127.0.0.1"), answer) as (url, _asked):
        trusted = await _trusted_after(db, url, old, lambda enrolment: enrolment.state is State.SPOOLING)
    assert trusted == old == _stored_ca(db)


async def _trusted_after(
    db: sqlite3.Connection, url: str, ca_pem: str, condition: Callable[[Enrolment], bool]
) -> str | None:
    """Returns what a sentry enrolled with `ca_pem` trusts as soon as `condition` is true."""
    token = Token(TokenKind.RIG, SECRET, AUTHORITY.pin)
    store.save_enrolment(db, Enrolment(url, token, ca_pem, 7, "rig-07", State.ONLINE))
    disk, changed = Worker("disk"), asyncio.Event()

    async def nothing() -> None: ...

    uploader = RigUploader(
        db, Spool(db, Limits()), disk, lambda known: commander_client(known.url, known.token, known.ca_pem, "test"),
        report_every_s=0.01, changed=changed.set, rig_removed=nothing,
    )  # fmt: skip
    await uploader.reload()
    async with asyncio.TaskGroup() as group:
        running = group.create_task(uploader.run())
        while not (uploader.enrolment and condition(uploader.enrolment)):
            changed.clear()
            await changed.wait()
        running.cancel()
    assert disk.end(within_s=10)
    return uploader.enrolment.ca_pem


def _stored_ca(db: sqlite3.Connection) -> str | None:
    enrolment = store.load_enrolment(db)
    return enrolment.ca_pem if enrolment else None


@pytest.fixture
def farm_ca_in_the_system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Makes the farm's CA the only root of the system, checked as strictly as by Python 3.13 and newer."""
    usual = ssl.create_default_context

    def strict() -> ssl.SSLContext:
        context = usual()
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    (tmp_path / "roots.pem").write_text(AUTHORITY.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "roots.pem"))
    monkeypatch.setattr(ssl, "create_default_context", strict)
    tls_context.cache_clear()
    yield
    tls_context.cache_clear()


@pytest.mark.usefixtures("farm_ca_in_the_system")
async def test_a_certificate_that_python_3_13_is_too_strict_for_says_which_rule_it_breaks_and_what_to_do(
    tmp_path: Path,
) -> None:
    refusal = await _refusal(AUTHORITY.server_context(tmp_path, "127.0.0.1"), None)
    assert re.search(r"breaks a rule of RFC 5280 .* \((Missing|CA cert) .*\); replace it as docs/", refusal)


async def _refusal(context: ssl.SSLContext, trusted: str | None) -> str:
    """Returns the client's error; the server must not have seen a byte."""
    token = Token(TokenKind.RIG, SECRET, AUTHORITY.pin)
    async with (
        recording_server(context, "") as (url, asked),
        commander_client(url, token, trusted, "test") as client,
    ):
        with pytest.raises(CommanderError) as caught:
            await client.welcome()
    assert asked == []
    return str(caught.value)
