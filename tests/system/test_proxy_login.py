"""nginx asks another service who is logged in, with the configuration of docs/reverse-proxy.md."""

import html
import json
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.cookies import SimpleCookie
from pathlib import Path

import httpx
import pytest
from authorities import older_authority
from free_ports import free_port
from websockets.exceptions import InvalidURI
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from tests.farm import running_commander
from tests.http_servers import Answer, TakenRequest, answering
from tests.proxies import block, here, installed, running_proxy, settings, with_site

pytestmark = pytest.mark.system
HEADING = "Let the proxy log people in"
PEOPLE = {"anna": "view", "olga": "own"}
STRANGER: dict[str, str] = {}
NOT_LET_IN = {"Cookie": "sso=eve"}  # she has logged in, and this service does not let her in
RIGS = "/api/v1/cpu-gpu-rigs"


def person(name: str) -> dict[str, str]:
    return {"Cookie": f"sso={name}"}


@dataclass
class LogIn:
    """A log-in service on this port, and the names in the cookies of the requests for which it was asked."""

    port: int
    asked: list[str] = field(default_factory=list)


@contextmanager
def log_in_service() -> Iterator[LogIn]:
    asked: list[str] = []

    def check(request: TakenRequest) -> Answer:
        cookie = SimpleCookie(request.headers.get("Cookie", "")).get("sso")
        name = cookie.value if cookie else ""
        asked.append(name)
        if name in PEOPLE:
            return Answer(200, {"X-User": name, "X-Role": PEOPLE[name], "Content-Length": "0"})
        return Answer(403 if name else 401, {"Content-Length": "0"})

    with answering(check) as port:
        yield LogIn(port, asked)


def nginx_with_log_in(folder: Path, site: str, log_in: str) -> list[str]:
    """Does what the page says: the lines of `location /` go into a file of their own, and others take their place."""
    found = re.search(r"    location / \{\n(.+?)    \}\n", site, re.DOTALL)
    assert found
    (folder / "minewarden.inc").write_text(found[1])
    return with_site(folder, site.replace(found[0], log_in))


@dataclass
class Proxied:
    """A farm behind nginx. `client` has no cookies and no key by itself."""

    client: httpx.Client
    trust: ssl.SSLContext
    key: dict[str, str]
    log_in: LogIn

    def get(self, path: str, headers: dict[str, str]) -> httpx.Response:
        return self.client.get(path, headers=headers)

    @contextmanager
    def socket(self, path: str, headers: dict[str, str]) -> Iterator[ClientConnection]:
        here = str(self.client.base_url).rstrip("/")
        url = here.replace("https://", "wss://") + path
        with connect(url, ssl=self.trust, origin=Origin(here), additional_headers=headers, open_timeout=60) as socket:
            yield socket


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxied]:
    executable = installed("nginx")
    folder, port = tmp_path_factory.mktemp("proxied"), free_port()
    older_authority(folder / "tls", datetime.now(UTC), server_names=("localhost",))
    trust = ssl.create_default_context(cafile=folder / "tls" / "ca.pem")
    with log_in_service() as log_in, running_commander(folder, **settings(port, HEADING)) as farm:
        site, locations = (
            here(block("nginx", containing), folder, port, farm) for containing in ("listen 443", "auth_request")
        )
        command = nginx_with_log_in(folder, site, locations.replace("127.0.0.1:9091", f"127.0.0.1:{log_in.port}"))
        key = {"Authorization": f"Bearer {farm.api_key()}"}
        with (
            running_proxy([executable, *command], folder, port),
            httpx.Client(base_url=f"https://localhost:{port}", verify=trust, timeout=60) as client,
        ):
            yield Proxied(client, trust, key, log_in)


def test_a_person_sees_pages_their_charts_and_their_live_updates(proxied: Proxied) -> None:
    page = proxied.get("/cpu-gpu", person("anna"))
    assert page.status_code == 200
    history = re.search(r'data-history="([^"]+)"', page.text)
    assert history
    chart = proxied.get(html.unescape(history[1]), person("anna"))
    assert (chart.status_code, list(chart.json())[:1]) == (200, ["step_s"]), chart.text
    assert "anna" in proxied.get("/access", person("anna")).text
    for path in ("/live?view=overview", "/api/v1/events?channels=cpu-gpu-mining-rig-index"):
        with proxied.socket(path, person("anna")) as socket:
            added = proxied.client.post(RIGS, json={"name": f"rig {len(path)}"}, headers=person("olga"))
            assert added.status_code == 201, added.text
            assert socket.recv(timeout=60)


def test_a_script_with_a_key_needs_no_log_in(proxied: Proxied) -> None:
    for headers in (proxied.key, proxied.key | NOT_LET_IN):
        assert proxied.get(RIGS, headers).status_code == 200
        assert proxied.get("/schema/openapi.json", headers).status_code == 200
    assert proxied.get("/metrics", proxied.key).status_code == 200
    many = {"rigs": [], "add": [f"tag-{number:05}" for number in range(20_000)]}  # more than nginx keeps in memory
    refused = proxied.client.post("/api/v1/tags", json={"kind": "cpu-gpu"} | many, headers=proxied.key)
    assert refused.status_code == 422, "the body arrived whole"
    with proxied.socket("/api/v1/events?channels=cpu-gpu-mining-rig-index", proxied.key) as socket:
        proxied.client.post(RIGS, json={"name": "rig of a script"}, headers=proxied.key).raise_for_status()
        assert json.loads(socket.recv(timeout=60))["data"]["name"] == "rig of a script"


def test_a_stranger_is_sent_to_the_log_in_and_gets_no_data(proxied: Proxied) -> None:
    for path in ("/", "/cpu-gpu", "/access"):
        answer = proxied.get(path, STRANGER)
        assert (answer.status_code, answer.headers["location"]) == (302, "https://sso.example/")
    assert proxied.get("/cpu-gpu", NOT_LET_IN).status_code == 403
    for headers in (STRANGER, NOT_LET_IN):
        answer = proxied.get(RIGS, headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in")
        assert proxied.get("/metrics", headers).status_code == 401
    with pytest.raises(InvalidURI, match=r"sso\.example"), proxied.socket("/live?view=overview", STRANGER):
        pass
    assert proxied.get("/sso", person("olga")).status_code == 404


def test_headers_that_a_client_sends_itself_are_not_believed(proxied: Proxied) -> None:
    forged = {"X-Remote-User": "olga", "X-Remote-Role": "own", "X-User": "olga", "X-Role": "own"}
    assert proxied.get("/cpu-gpu", STRANGER | forged).status_code == 302
    for path in (RIGS, "/metrics", "/schema/openapi.json"):
        assert proxied.get(path, STRANGER | forged).status_code == 401, path
        assert proxied.get(path, NOT_LET_IN | forged).status_code == 401, path
    answer = proxied.client.post(RIGS, json={"name": "x"}, headers=person("anna") | forged)
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
    assert "anna" in proxied.get("/access", person("anna") | forged).text


def test_sentries_installation_and_wall_screens_pass_without_the_log_in_service(proxied: Proxied) -> None:
    owner = person("olga")
    rig = proxied.client.post(RIGS, json={"name": "rig of a sentry"}, headers=owner).json()
    proxied.client.post("/cpu-gpu/views", data={"name": "All", "back": ""}, headers=owner)
    view = re.search(r'<option value="(\d+)"', proxied.get("/access?dialog=view-link", owner).text)
    assert view
    made = proxied.client.post("/access/view-links", data={"view": view[1], "days": "1"}, headers=owner)
    link = re.search(r"https://localhost:\d+(/view/\w+)", made.text)
    assert link
    proxied.log_in.asked.clear()
    token = {"Authorization": f"Bearer {rig['token']}"}
    assert proxied.get("/api/v1/sentry", token).status_code == 200
    for path in (link[1], "/install/cpu-gpu.sh", "/packages/", "/healthz"):
        answer = proxied.get(path, STRANGER)
        assert (answer.status_code, answer.headers.get("location")) == (200, None), path
    with proxied.socket(f"{link[1]}?seq=0", STRANGER) as socket:
        assert socket.recv(timeout=60)
    assert proxied.log_in.asked == []
