"""Everything else by Apprise, in a real child process."""

from collections.abc import AsyncIterator

import pytest
from commander.notifications.failures import DeliveryFailure
from commander.notifications.kinds.apprise import AppriseSettings, is_installed, send
from commander.notifications.kinds.kind import SafeNetwork
from commander.notifications.safe_http import SafeHttp
from notification_sinks import Sink, a_message, host_of, running_sink

pytestmark = pytest.mark.system  # it starts a process


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    async with running_sink() as made:
        yield made


async def send_to(url: str, *, loopback: bool = True) -> None:
    await send(AppriseSettings(url=url), a_message(), SafeNetwork(SafeHttp(loopback=loopback), loopback))


async def test_a_message_is_sent(sink: Sink) -> None:
    assert is_installed()
    await send_to(f"json://{host_of(sink.url)}/hook")
    (request,) = sink.received
    body = request.json()
    assert (request.path, body["title"]) == ("/hook", "Critical: 38 rigs stopped reporting within 20 s")
    assert "In common: tag switch:sw-3" in str(body["message"])


async def test_a_refusal_is_a_failure_without_the_secret(sink: Sink) -> None:
    sink.answers(403)
    with pytest.raises(DeliveryFailure, match="Apprise could not send by json://") as caught:
        await send_to(f"json://anna:verysecret@{host_of(sink.url)}/tokeninpath")
    assert not {"verysecret", "tokeninpath"} & set(str(caught.value).replace("/", " ").split())


async def test_loopback_and_metadata_addresses_are_refused(sink: Sink) -> None:
    for url in (f"json://{host_of(sink.url)}/", "json://169.254.169.254/", "json://[::ffff:169.254.169.254]/"):
        with pytest.raises(DeliveryFailure):
            await send_to(url, loopback=False)
    assert sink.connections == 0


@pytest.mark.parametrize("url", ["syslog://", "dbus://", "gnome://", "macosx://", "windows://", "nosuch://x/y"])
async def test_local_and_unknown_schemes_are_final(url: str) -> None:
    with pytest.raises(DeliveryFailure) as caught:
        await send_to(f"{url}_" if url.endswith("://") else url)
    assert caught.value.is_final
