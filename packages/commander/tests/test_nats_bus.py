"""The connection to NATS comes back by itself, on a real server, however it was lost."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from commander.scaled.nats_bus import Bus, NatsAway
from nats.aio.client import Client
from nats_server import NatsServer, running_nats
from queue_farm import eventually

from tests.playbook_software import certificates

pytestmark = pytest.mark.servers


@pytest.fixture
def server() -> Iterator[NatsServer]:
    """One that a test may kill."""
    with running_nats() as server:
        yield server


async def connected(bus: Bus, times: int) -> None:
    async def is_connected() -> bool:
        return bus.connections == times and bus.client is not None

    await eventually(is_connected)


async def test_a_lost_connection_is_noticed_though_the_library_does_not_call_back(server: NatsServer) -> None:
    bus = Bus(server.url)
    async with bus.running():
        await connected(bus, 1)
        assert bus.client
        bus.client._closed_cb = None  # as when its farewell to a broken connection has failed
        server.kill()
        server.start()
        await connected(bus, 2)


async def test_who_waits_for_an_answer_of_a_lost_connection_is_let_go(server: NatsServer) -> None:
    bus, waited = Bus(server.url), asyncio.Event()

    @asynccontextmanager
    async def attached(_client: Client) -> AsyncIterator[None]:
        if not waited.is_set():
            waited.set()
            await asyncio.Event().wait()
        yield

    bus.attach(attached)
    async with bus.running():
        await waited.wait()
        server.kill()
        server.start()
        await connected(bus, 1)


async def test_it_ends_though_an_answer_is_owed(server: NatsServer) -> None:
    bus, waited = Bus(server.url), asyncio.Event()

    @asynccontextmanager
    async def attached(_client: Client) -> AsyncIterator[None]:
        waited.set()
        await asyncio.Event().wait()
        yield

    bus.attach(attached)
    async with asyncio.timeout(60), bus.running():
        await waited.wait()


async def test_a_certificate_that_a_strict_python_refuses_is_told_as_that(
    server: NatsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = ssl.create_default_context

    def strict() -> ssl.SSLContext:
        context = usual()
        context.verify_flags |= ssl.VERIFY_X509_STRICT  # as Python 3.13 and newer
        return context

    certificate, ca = certificates(tmp_path / "queue", is_strict=False)
    server.kill()
    server.start(f'tls {{ cert_file: "{certificate}", key_file: "{certificate}" }}')
    monkeypatch.setenv("SSL_CERT_FILE", str(ca))
    monkeypatch.setattr(ssl, "create_default_context", strict)
    bus = Bus(server.url.replace("nats://", "tls://"))

    async def is_told() -> bool:
        with pytest.raises(NatsAway) as away:
            bus.check()
        return "refused (Missing Authority Key Identifier); docs/certificates.md" in str(away.value)

    async with bus.running():
        await eventually(is_told)
