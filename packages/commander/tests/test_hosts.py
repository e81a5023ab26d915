"""The names by which a browser may open the commander, and the headers by which it stays with HTTPS."""

import socket
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from commander.app import create_app
from commander.settings import Settings, TlsMode
from commander.tls import CertificateFacts, TlsFiles
from commander.web.security import KnownHosts
from commander_farm import Farm, on_sqlite, running
from litestar.testing import AsyncTestClient
from msgspec.structs import replace

STRANGE = "evil.example"
FAR = datetime(2099, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("path", ["/login", "/cpu-gpu", "/", "/api/v1/cpu-gpu-rigs", "/nowhere"])
async def test_a_name_that_is_not_the_commander_s_is_refused_in_a_sentence(farm: Farm, path: str) -> None:
    await farm.log_in()
    answer = await farm.client.get(path, headers={"Host": STRANGE}, follow_redirects=False)
    assert answer.status_code == 421
    assert "This commander is not called evil.example" in answer.text
    assert "COMMANDER_HOSTS" in answer.text


@on_sqlite
@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:8443", "192.168.7.9", "[::1]:8443", "localhost", "LOCALHOST.:1", "farm.lan", "Farm.Example:8443"],
)
async def test_addresses_and_its_own_names_pass(settings: Settings, host: str) -> None:
    own = replace(settings, public_url="https://farm.example:8443", hosts="farm.lan, other.lan")
    async with running(own) as client:
        assert (await client.get("/login", headers={"Host": host})).status_code == 200
        machine = {"Host": socket.gethostname()}
        assert (await client.get("/login", headers=machine)).status_code == 200


async def test_sentries_scripts_and_health_checks_may_use_any_name(farm: Farm) -> None:
    rig = await farm.add()
    host = {"Host": STRANGE}
    assert (await farm.client.get("/api/v1/cpu-gpu-rigs", headers=farm.auth | host)).status_code == 200
    assert (await farm.client.get("/api/v1/sentry", headers=rig.auth | host)).status_code == 200
    logs = {"logs": list[object]()}
    assert (await farm.client.post("/api/v1/sentry/logs", json=logs, headers=rig.auth | host)).status_code == 200
    assert (await farm.client.get("/healthz", headers=host)).status_code == 200


async def test_a_socket_under_another_name_is_closed(served_farm: Farm) -> None:
    await served_farm.log_in()
    cookie = f"minewarden_session={served_farm.client.cookies['minewarden_session']}"
    for host, accepted in ((STRANGE, False), ("localhost", True)):
        answer = await served_farm.client.get(
            "/live?view=quiet",
            headers={
                "Host": host,
                "Cookie": cookie,
                "Connection": "Upgrade",
                "Upgrade": "websocket",
                "Sec-WebSocket-Version": "13",
                "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            },
        )
        assert (answer.status_code == 101) is accepted, host


def test_a_certificate_with_a_wildcard_stands_for_one_label() -> None:
    hosts = KnownHosts(["*.farm.example"])
    assert hosts._is_known("hall-1.farm.example")
    assert not hosts._is_known("a.b.farm.example")
    assert not hosts._is_known("farm.example")


@pytest.mark.parametrize(("tls", "is_strict"), [(TlsMode.FILES, True), (TlsMode.AUTO, False), (TlsMode.OFF, False)])
@on_sqlite
async def test_only_with_a_certificate_of_one_s_own_browsers_are_told_to_stay_with_https(
    settings: Settings, tls: TlsMode, is_strict: bool
) -> None:
    facts = CertificateFacts(tls, "", ["testserver.local"], not_after=FAR)
    async with AsyncTestClient(create_app(replace(settings, tls=tls), tls=TlsFiles(Path(), Path(), facts))) as client:
        shown: httpx.Response = await client.get("/login")
        assert ("Strict-Transport-Security" in shown.headers) is is_strict


async def test_no_cache_keeps_what_the_api_answers(farm: Farm) -> None:
    rig = await farm.add()
    made = await farm.client.post("/api/v1/cpu-gpu-rigs", json={"name": "with a token"}, headers=farm.auth)
    refused = await farm.client.post("/api/v1/sentry/logs", json={"logs": [1]}, headers=rig.auth)
    stored = await farm.client.post("/api/v1/sentry/logs", json={"logs": []}, headers=rig.auth)
    asics = await farm.client.post("/api/v1/sentry/asic-logs", json={"items": []})
    read = [await farm.client.get(f"/api/v1/sentry{door}", headers=rig.auth) for door in ("", "/inbox", "/playbooks")]
    assert [each.status_code for each in (made, refused, stored, asics, *read)] == [201, 200, 200, 200, 200, 200, 200]
    for answer in (made, refused, stored, asics, *read):
        assert answer.headers.get_list("Cache-Control") == ["no-store"]
        assert answer.headers.get_list("X-Content-Type-Options") == ["nosniff"]
        policies = answer.headers.get_list("Content-Security-Policy")
        assert len(policies) == 1
        assert policies[0].startswith("default-src 'none'")
