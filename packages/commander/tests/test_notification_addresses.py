"""Messages go to allowed addresses only, whatever a name, a redirect or a certificate says."""

import asyncio
import ipaddress
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from commander.notifications.failures import DeliveryFailure
from commander.notifications.safe_addresses import is_allowed
from commander.notifications.safe_http import SafeHttp, check
from notification_sinks import HANGS, Answer, Authority, running_sink

Names = Callable[..., list[str]]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """Makes every name lead to these addresses. The list that it returns has each name that was looked up."""

    def lead_to(*addresses: str) -> list[str]:
        asked: list[str] = []

        async def getaddrinfo(host: str, port: int, **more: object) -> list[tuple[object, ...]]:
            asked.append(host)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
        return asked

    return lead_to


async def post(http: SafeHttp, url: str, *, timeout_s: float = 15.0) -> None:
    check(await http.post(url, body=b"{}", headers={}, timeout_s=timeout_s), "The server")


@pytest.mark.parametrize(
    ("address", "with_loopback"),
    [
        *(("192.168.1.5", True), ("10.0.0.1", True), ("172.16.3.4", True), ("fd12:3456::1", True), ("8.8.8.8", True)),
        *(("100.64.0.1", True), ("2606:4700::1111", True), ("::ffff:192.168.1.5", True), ("127.0.0.1", True)),
        *(("::1", True), ("127.9.9.9", True), ("::ffff:127.0.0.1", True), ("64:ff9b::7f00:1", True)),
        *(("169.254.169.254", False), ("169.254.1.1", False), ("fe80::1", False), ("::ffff:169.254.169.254", False)),
        *(("64:ff9b::a9fe:a9fe", False), ("2002:a9fe:a9fe::1", False), ("::169.254.169.254", False)),
        *(("fd00:ec2::254", False), ("100.100.100.200", False), ("168.63.129.16", False), ("0.0.0.0", False)),  # noqa: S104
        *(("0.1.2.3", False), ("::", False), ("224.0.0.1", False), ("ff02::1", False), ("255.255.255.255", False)),
        *(("::ffff:0.0.0.0", False), ("64:ff9b:1::a9fe:a9fe", False)),
    ],
)
def test_private_networks_are_fine_and_machines_own_ones_are_not(address: str, with_loopback: bool) -> None:
    parsed = ipaddress.ip_address(address)
    assert is_allowed(parsed, loopback=True) is with_loopback
    is_own = "127." in address or address in ("::1", "64:ff9b::7f00:1")
    assert is_allowed(parsed, loopback=False) is (with_loopback and not is_own)


@pytest.mark.parametrize(
    "url", ["http://169.254.169.254/latest", "http://[::ffff:169.254.169.254]/", "http://0xa9fea9fe/"]
)
async def test_a_metadata_address_is_refused_however_it_is_written(url: str) -> None:
    with pytest.raises(DeliveryFailure, match="never sent to"):
        await post(SafeHttp(loopback=True), url)


async def test_a_name_that_leads_to_a_metadata_address_is_refused(names: Names) -> None:
    names("169.254.169.254")
    with pytest.raises(DeliveryFailure, match=r"ntfy\.farm\.test is 169\.254\.169\.254, an"):
        await post(SafeHttp(loopback=True), "https://ntfy.farm.test/")


async def test_of_several_addresses_only_allowed_ones_are_used(names: Names) -> None:
    async with running_sink() as sink:
        names("169.254.169.254", "127.0.0.1")
        await post(SafeHttp(loopback=True), f"http://ntfy.farm.test:{sink.port}/")
        assert sink.received[0].headers["host"] == f"ntfy.farm.test:{sink.port}"


async def test_loopback_needs_its_setting() -> None:
    async with running_sink() as sink:
        with pytest.raises(DeliveryFailure, match="COMMANDER_NOTIFY_LOOPBACK=true"):
            await post(SafeHttp(loopback=False), sink.url)
        assert sink.connections == 0


async def test_the_connection_goes_to_the_address_that_was_checked(names: Names, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with running_sink(authority.server("ntfy.farm.test")) as sink:
        asked = names("127.0.0.1")
        await post(SafeHttp(loopback=True, context=authority.client()), f"https://ntfy.farm.test:{sink.port}/")
        assert asked == ["ntfy.farm.test"]
        assert len(sink.received) == 1


@pytest.mark.parametrize("name", ["other.farm.test", "127.0.0.2"])
async def test_a_certificate_of_another_name_is_refused(names: Names, tmp_path: Path, name: str) -> None:
    authority = Authority(tmp_path)
    async with running_sink(authority.server(name)) as sink:
        names("127.0.0.1")
        with pytest.raises(DeliveryFailure, match=r"its certificate is not valid \(Hostname mismatch"):
            await post(SafeHttp(loopback=True, context=authority.client()), f"https://ntfy.farm.test:{sink.port}/")
        assert sink.received == []


async def test_a_certificate_of_an_unknown_authority_is_refused(tmp_path: Path) -> None:
    async with running_sink(Authority(tmp_path).server("127.0.0.1")) as sink:
        with pytest.raises(DeliveryFailure, match="its certificate is not valid"):
            await post(SafeHttp(loopback=True), sink.url)
        assert sink.received == []


async def test_an_address_in_numbers_can_have_a_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with running_sink(authority.server("127.0.0.1")) as sink:
        await post(SafeHttp(loopback=True, context=authority.client()), sink.url)
        assert len(sink.received) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("target", ["http://169.254.169.254/latest/meta-data", "http://localhost:1/", "//other.test/"])
async def test_no_redirect_to_another_host_is_followed(status: int, target: str) -> None:
    async with running_sink() as sink:
        sink.answers(status, Location=target)
        with pytest.raises(DeliveryFailure, match="redirects"):
            await post(SafeHttp(loopback=True), sink.url)
        assert len(sink.received) == 1


async def test_a_redirect_to_another_port_is_not_followed() -> None:
    async with running_sink() as other, running_sink() as sink:
        sink.answers(307, Location=other.url)
        with pytest.raises(DeliveryFailure, match="another port"):
            await post(SafeHttp(loopback=True), sink.url)
        assert other.connections == 0


async def test_a_redirect_on_the_same_host_is_followed_with_the_body() -> None:
    async with running_sink() as sink:
        sink.answer = lambda request: Answer(308, {"Location": "/new"}) if request.path == "/old" else Answer()
        await post(SafeHttp(loopback=True), f"{sink.url}/old")
        assert [(request.path, request.body) for request in sink.received] == [("/old", b"{}"), ("/new", b"{}")]


async def test_endless_redirects_end() -> None:
    async with running_sink() as sink:
        sink.answers(307, Location="/again")
        with pytest.raises(DeliveryFailure, match="redirects more than 3 times"):
            await post(SafeHttp(loopback=True), sink.url)


async def test_a_server_that_hangs_is_given_up() -> None:
    async with running_sink() as sink:
        sink.answer = lambda request: HANGS
        with pytest.raises(DeliveryFailure, match=r"did not answer within 0\.2 s"):
            await post(SafeHttp(loopback=True), sink.url, timeout_s=0.2)


async def test_an_answer_without_end_is_cut() -> None:
    async with running_sink() as sink:
        sink.answers(500, b"x" * 5_000_000)
        answer = await SafeHttp(loopback=True).post(sink.url, body=b"", headers={})
        assert len(answer.body) == 256 * 1024


async def test_a_dead_host_and_a_wrong_name_have_their_reason() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(DeliveryFailure, match=r"127\.0\.0\.1 can't be reached: .*"):
        await post(SafeHttp(loopback=True), f"http://127.0.0.1:{port}/")
    with pytest.raises(DeliveryFailure, match=r"The name no-such-host\.invalid could not be looked up"):
        await post(SafeHttp(loopback=True), "http://no-such-host.invalid/")
