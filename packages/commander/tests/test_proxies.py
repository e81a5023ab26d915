"""Behind a proxy: whose headers are believed, and who is answered in clear."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from commander.app import create_app
from commander.settings import Settings, in_clear_text
from commander.web.proxies import address_in
from commander_farm import PASSWORD, Farm, on_sqlite
from litestar.enums import ScopeType
from litestar.testing import AsyncTestClient
from litestar.types import ASGIApp, Receive, Scope, Send
from msgspec.structs import replace

PROXY = "10.77.0.2"


@asynccontextmanager
async def seen_from(peer: str, settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """A client whose connections come from this address."""
    app: ASGIApp = create_app(settings)

    async def from_peer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in (ScopeType.HTTP, ScopeType.WEBSOCKET):
            scope["client"] = (peer, 4711)
        await app(scope, receive, send)

    async with AsyncTestClient(from_peer) as client:
        yield client


@pytest.fixture
def behind(settings: Settings) -> Settings:
    return replace(settings, trusted_proxies=f"{PROXY}, 10.78.0.0/24", public_url="https://testserver.local")


async def addresses_of_failures(client: httpx.AsyncClient, settings: Settings, *forwarded: str) -> list[str]:
    for each in forwarded:
        await client.post("/login", data={"password": "wrong"}, headers={"X-Forwarded-For": each})
    farm = Farm(client, settings)
    await farm.make_key("reader")
    entries = (await farm.get("/api/v1/audit")).json()["entries"]
    return [entry["address"] for entry in entries if entry["what"] == "log-in failed"][::-1]


@on_sqlite
async def test_the_proxy_is_believed_and_only_what_is_an_address(behind: Settings) -> None:
    async with seen_from(PROXY, behind) as client:
        forwarded = ["203.0.113.9", "198.51.100.1, 203.0.113.8", "203.0.113.7, 10.78.0.9", "<b>no address</b>", ""]
        found = await addresses_of_failures(client, behind, *forwarded)
    assert found == ["203.0.113.9", "203.0.113.8", "203.0.113.7", PROXY, PROXY]


@on_sqlite
async def test_an_invented_forwarded_address_gives_no_further_tries(behind: Settings) -> None:
    with_tls_elsewhere = replace(behind, host="127.0.0.1", trusted_proxies="")
    async with seen_from("192.168.1.66", with_tls_elsewhere) as client:
        for number in range(11):
            headers = {"X-Forwarded-For": f"203.0.113.{number}"}
            answer = await client.post("/login", data={"password": "wrong"}, headers=headers)
    assert answer.status_code == 429


@on_sqlite
@pytest.mark.parametrize("peer", ["192.168.1.66", "127.0.0.1", "10.79.0.1"])
async def test_with_tls_off_only_the_proxy_is_answered(behind: Settings, peer: str) -> None:
    async with seen_from(peer, behind) as client:
        for path in ("/login", "/api/v1/sentry", "/api/v1/cpu-gpu-rigs"):
            answer = await client.get(path, headers={"X-Forwarded-For": PROXY})
            assert answer.status_code == 403
            assert answer.json()["code"] == "not_the_proxy"
        logs = await client.post("/api/v1/sentry/logs", json={"logs": []})
        assert logs.status_code == 403
        assert (await client.get("/healthz")).text == "ok"


@on_sqlite
@pytest.mark.parametrize("path", ["/live?view=rigs", "/api/v1/events"])
async def test_with_tls_off_only_the_proxy_opens_a_websocket(behind: Settings, path: str) -> None:
    app = create_app(behind)

    async def first_answer_to(peer: str) -> dict[str, object]:
        answers: list[dict[str, object]] = []

        async def receive() -> dict[str, object]:
            return {"type": "websocket.connect"}

        async def send(message: dict[str, object]) -> None:
            answers.append(message)

        name, _, query = path.partition("?")
        scope = {
            **{"type": "websocket", "scheme": "ws", "http_version": "1.1", "subprotocols": [], "root_path": ""},
            **{"path": name, "raw_path": name.encode(), "query_string": query.encode(), "client": (peer, 4711)},
            "headers": [(b"host", b"testserver.local"), (b"x-forwarded-for", PROXY.encode())],
        }
        await app(scope, receive, send)  # type: ignore[arg-type]  # a scope as servers make it
        return answers[0]

    async with AsyncTestClient(app):
        for peer in ("192.168.1.66", "127.0.0.1"):
            assert await first_answer_to(peer) == {
                "type": "websocket.close",
                "code": 4403,
                "reason": "not the proxy",
            }
        assert (await first_answer_to(PROXY))["type"] == "websocket.accept", "to say that there is no session"


async def log_in_by(client: httpx.AsyncClient, scheme: str) -> tuple[httpx.Response, dict[str, str]]:
    """Logs in as a browser that reached the proxy by this scheme. Returns the answer and the next request's headers."""
    headers = {"X-Forwarded-Proto": scheme}
    answer = await client.post("/login", data={"password": PASSWORD}, headers=headers, follow_redirects=False)
    return answer, headers | {"Cookie": answer.headers["set-cookie"].partition(";")[0]}


@on_sqlite
@pytest.mark.parametrize(("scheme", "is_secure"), [("https", True), ("http", False)])
async def test_a_browser_that_reached_the_proxy_by_https_gets_secure_cookies(
    behind: Settings, scheme: str, is_secure: bool
) -> None:
    """Although COMMANDER_PUBLIC_URL says nothing of HTTPS."""
    async with seen_from(PROXY, replace(behind, public_url="http://testserver.local")) as client:
        logged_in, headers = await log_in_by(client, scheme)
        logged_out = await client.post("/logout", headers=headers, follow_redirects=False)
    set_cookies = [each for answer in (logged_in, logged_out) for each in answer.headers.get_list("set-cookie")]
    assert ["Secure" in each for each in set_cookies] == [is_secure] * 3


@on_sqlite
@pytest.mark.parametrize(
    ("public_url", "scheme", "warns"),
    [
        ("http://farm.example", "http", True),
        ("http://127.0.0.1:8443", "https", True),
        ("http://127.0.0.1:8443", "http", False),
        ("https://farm.example", "https", False),
    ],
)
async def test_the_settings_page_warns_of_an_address_without_https(
    behind: Settings, public_url: str, scheme: str, warns: bool
) -> None:
    async with seen_from(PROXY, replace(behind, public_url=public_url)) as client:
        _, headers = await log_in_by(client, scheme)
        html = (await client.get("/settings", headers=headers)).text
    assert ("which is not HTTPS" in html) is warns


@pytest.mark.parametrize(
    ("public_url", "warns"),
    [
        ("http://farm.example", True),
        ("HTTP://192.168.1.5:8443", True),
        ("http://localhost:8443", False),
        ("http://[::1]:8443", False),
        ("HTTPS://farm.example", False),
    ],
)
def test_an_address_without_https_on_another_machine_is_warned_of(public_url: str, warns: bool) -> None:
    assert bool(in_clear_text(Settings(data_dir=Path(), public_url=public_url))) is warns


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("203.0.113.9", "203.0.113.9"),
        (" 203.0.113.9:4711 ", "203.0.113.9"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("unknown", None),
        ("", None),
        ("[", None),
        ("203.0.113.9, x", None),
    ],
)
def test_an_entry_is_an_address_with_or_without_a_port(text: str, address: str | None) -> None:
    assert address_in(text) == address
