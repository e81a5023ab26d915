"""People whom a reverse proxy has logged in: only a trusted proxy is believed, with a name and a role that exist."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from commander.accounts.domain import ApiKey, ProxySession, Session
from commander.live import sockets
from commander.settings import BadSetting, Settings, load_settings
from commander_farm import PASSWORD, RIGS, Farm, on_sqlite, post_form, serving
from msgspec.structs import replace
from test_proxies import PROXY, seen_from
from websockets import ConnectionClosed

USER, ROLE = "X-Remote-User", "X-Remote-Role"


def anna(role: str = "view") -> dict[str, str]:
    return {USER: "anna@farm.example", ROLE: role}


@pytest.fixture
def trusting(settings: Settings) -> Settings:
    more = {"public_url": "http://testserver.local", "user_header": USER, "role_header": ROLE}
    return replace(settings, trusted_proxies=PROXY, **more)


@pytest.fixture
async def behind(trusting: Settings) -> AsyncIterator[Farm]:
    async with seen_from(PROXY, trusting) as client:
        farm = Farm(client, trusting)
        await farm.make_key()
        yield farm


async def get(farm: Farm, path: str, headers: dict[str, str]) -> httpx.Response:
    return await farm.client.get(path, headers=headers, follow_redirects=False)


@on_sqlite
async def test_the_proxys_user_is_let_in_with_the_role_and_named_in_the_audit_log(behind: Farm) -> None:
    rig = await behind.add("rig-07")
    assert (await get(behind, "/cpu-gpu", anna())).status_code == 200
    assert (await get(behind, "/login?next=/asics", anna())).headers["location"] == "/asics"
    behind.client.headers.update(anna("operate"))
    assert (await post_form(behind.client, f"/cpu-gpu/{rig.id}/tags", tags="hall:2")).status_code == 303
    assert (await post_form(behind.client, f"/cpu-gpu/{rig.id}/remove")).status_code == 403
    newest = (await behind.get("/api/v1/audit")).json()["entries"][0]
    assert (newest["what"], newest["who"]) == ("tags changed", "anna@farm.example")


@on_sqlite
async def test_another_sender_is_not_believed(trusting: Settings) -> None:
    """The commander has TLS by itself, so it answers others than the proxy too."""
    (Path(trusting.data_dir) / "tls").mkdir(exist_ok=True)
    own_tls = replace(trusting, tls="auto", hosts="testserver.local")
    async with seen_from("192.168.1.66", load_settings(environment_of(own_tls))) as client:
        client.base_url = httpx.URL("https://testserver.local")
        answer = await client.get("/cpu-gpu", headers=anna("own"), follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=%2Fcpu-gpu")
        assert (await client.get(RIGS, headers=anna("own"))).status_code == 401


def environment_of(settings: Settings) -> dict[str, str]:
    names = ("data_dir", "host", "tls", "hosts", "database_url", "trusted_proxies", "user_header", "role_header")
    return {f"COMMANDER_{name.upper()}": str(getattr(settings, name)) for name in names}


@on_sqlite
async def test_without_the_header_people_log_in_as_before(behind: Farm) -> None:
    for headers in ({}, {ROLE: "own"}, {USER: "", ROLE: "own"}):
        assert (await get(behind, "/cpu-gpu", headers)).headers["location"] == "/login?next=%2Fcpu-gpu", headers
    await behind.log_in()
    assert (await get(behind, "/cpu-gpu", {})).status_code == 200


@on_sqlite
@pytest.mark.parametrize(
    ("headers", "sentence"),
    [
        ({USER: "anna", ROLE: "admin"}, "X-Remote-Role of the proxy names no role. The role is one of view, operate"),
        ({USER: "anna", ROLE: "metrics"}, "The role is one of view, operate, own."),
        ({USER: "anna", ROLE: ""}, "The role is one of view, operate, own."),
        ({USER: "anna"}, "The role is one of view, operate, own."),
        ({USER: "owner", ROLE: "own"}, "The commander itself uses the name owner in the audit log"),
        ({USER: "<b>", ROLE: "own"}, "X-Remote-User of the proxy names no user. A name has 1 to 64 letters"),
    ],
)
async def test_a_name_or_role_that_makes_no_sense_is_refused(
    behind: Farm, headers: dict[str, str], sentence: str
) -> None:
    await behind.log_in()  # the session must not help: the proxy has named somebody
    answer = await get(behind, "/cpu-gpu", headers)
    assert answer.status_code == 403
    assert sentence in answer.text
    assert not re.search(r"<(?:a|nav|form)\b", answer.text)
    problem = await get(behind, RIGS, headers)
    assert (problem.status_code, problem.json()["code"]) == (403, "bad_proxy_user")


@on_sqlite
async def test_a_header_that_came_twice_is_refused(settings: Settings) -> None:
    """A browser may have sent one of them, and the proxy added the other."""
    local = replace(settings, trusted_proxies="127.0.0.1", user_header=USER, role_header=ROLE)
    async with serving(local) as client:
        for name, headers in (
            (USER, [(USER, "anna"), (USER, "eve"), (ROLE, "view")]),
            (ROLE, [(USER, "anna"), (ROLE, "view"), (ROLE, "own")]),
        ):
            answer = await client.get("/cpu-gpu", headers=headers)
            assert answer.status_code == 403
            assert f"The header {name} came 2 times. Let the proxy replace it" in answer.text


@on_sqlite
async def test_without_a_header_for_roles_all_may_view(trusting: Settings) -> None:
    async with seen_from(PROXY, replace(trusting, role_header="")) as client:
        assert (await client.get("/cpu-gpu", headers=anna("own"))).status_code == 200
        assert (await client.post(RIGS, json={"name": "x"}, headers=anna("own"))).status_code == 403


@on_sqlite
async def test_an_api_key_comes_before_the_proxys_user(behind: Farm) -> None:
    assert (await behind.client.get(RIGS, headers=anna())).status_code == 200
    assert (await behind.client.post(RIGS, json={"name": "x"}, headers=anna())).status_code == 403
    assert (await behind.client.post(RIGS, json={"name": "x"}, headers=anna() | behind.auth)).status_code == 201
    wrong = anna("own") | {"Authorization": "Bearer mw_key_wrong"}
    assert (await behind.client.get(RIGS, headers=wrong)).status_code == 401


@on_sqlite
async def test_the_proxys_user_is_not_asked_for_a_password(behind: Farm) -> None:
    behind.client.headers.update(anna("own"))
    made = await post_form(behind.client, "/access", name="bert", role="view", password="a long password")
    assert made.headers["location"] == "/access"
    for number in range(6):  # as from the page that asks for it; wrong passwords end the session of other people
        fields = {"name": f"key {number}", "confirm_password": "wrong"}
        assert (await post_form(behind.client, "/settings/api-keys", **fields)).status_code == 200
    assert (await behind.client.post("/api/v1/confirmation", json={"password": "x"})).status_code == 204


@on_sqlite
async def test_the_proxys_user_has_no_password_and_no_second_factor_here(behind: Farm) -> None:
    behind.client.headers.update(anna("own"))
    page = (await behind.client.get("/access")).text
    assert "The reverse proxy in front of this commander has logged you in" in page
    assert "anna@farm.example" in page
    assert "Change password" not in page
    assert "Switch on" not in page
    for path, fields in {
        "/access/password": {"old": PASSWORD, "new": "a long password"},
        "/access/second-factor": {"secret": "x", "code": "1"},
        "/access/second-factor/off": {},
        "/access/recovery-codes": {},
        "/logout": {},
    }.items():
        answer = await post_form(behind.client, path, **fields)
        assert answer.status_code == 409, path
        assert "Log out there" in answer.text, path
    for dialog in ("password", "second-factor", "second-factor-off", "codes"):
        assert "<dialog" not in (await behind.client.get(f"/access?dialog={dialog}")).text
    assert (await behind.client.get("/settings")).status_code == 200


@on_sqlite
async def test_a_websocket_of_the_proxys_user_asks_the_proxy_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    local = replace(settings, trusted_proxies="127.0.0.1", user_header=USER, role_header=ROLE)
    async with serving(local) as client:
        farm = Farm(client, local)
        await farm.make_key()
        for path in ("/live?view=rigs", "/api/v1/events?channels=cpu-gpu-mining-rig-index"):
            async with farm.socket(path, **anna()) as socket:
                await farm.add(f"rig-{len(path)}")
                await socket.recv()
                async with farm.socket("/live?view=rigs", **anna("admin")) as refused:
                    with pytest.raises(ConnectionClosed):
                        await refused.recv()
                assert refused.close_code == 4401
            monkeypatch.setattr(sockets, "BELIEVED_S", 0.1)
            async with farm.socket(path, **anna()) as socket:
                await socket.wait_closed()
                assert socket.close_code == 1012, path
            monkeypatch.undo()


def test_only_the_websocket_of_the_proxys_user_has_a_longest_time() -> None:
    def session(kind: type[Session]) -> Session:
        return kind(id=1, created_at=now, last_seen_at=now, address="", user_agent="")

    now = datetime.now(UTC)
    assert sockets.longest_s(session(ProxySession)) == sockets.BELIEVED_S
    assert sockets.longest_s(session(Session)) is None
    assert sockets.longest_s(ApiKey(id=1, name="script", created_at=now, last_used_at=None)) is None


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({USER: "user_header"}, "COMMANDER_USER_HEADER needs the proxy's address in COMMANDER_TRUSTED_PROXIES"),
        ({ROLE: "role_header"}, "COMMANDER_ROLE_HEADER needs the proxy's address in COMMANDER_TRUSTED_PROXIES"),
        ({ROLE: "role_header", PROXY: "trusted_proxies"}, "COMMANDER_ROLE_HEADER needs COMMANDER_USER_HEADER"),
        ({"a header": "user_header", PROXY: "trusted_proxies"}, "COMMANDER_USER_HEADER is not what was expected"),
        ({"Cookie": "user_header", PROXY: "trusted_proxies"}, "COMMANDER_USER_HEADER is not what was expected"),
        ({USER: "user_header", "x-remote-user": "role_header", PROXY: "trusted_proxies"}, "are the same header"),
    ],
)
def test_headers_without_a_trusted_proxy_stop_the_start(tmp_path: Path, more: dict[str, str], said: str) -> None:
    environment = {f"COMMANDER_{name.upper()}": value for value, name in more.items()}
    with pytest.raises(BadSetting, match=said):
        load_settings({"COMMANDER_DATA_DIR": str(tmp_path), **environment})
