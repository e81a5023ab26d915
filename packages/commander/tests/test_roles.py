"""Roles: what each API key may do, and what it may see."""

import asyncio
import re
from contextlib import AsyncExitStack, ExitStack, suppress
from datetime import UTC, datetime, timedelta

import expected_roles
import pytest
from commander.accounts.actions import AccountActions
from commander.accounts.auth import OPEN
from commander.accounts.domain import Role, is_enough
from commander.accounts.route_roles import SOCKET, RightsTable, least_role, needs_confirmation, table
from commander.db import open_database
from commander.live import channels, open_sockets
from commander.live.long_poll import LongPoll
from commander.routes import Routes
from commander.services import Services
from commander.settings import Settings
from commander.web.role_filter import html_for, json_for
from commander_farm import ASICS, LOGS, PASSWORD, RIGS, Farm, a_log, on_sqlite, post_form
from litestar.routes import HTTPRoute, WebSocketRoute
from websockets import ConnectionClosed

MONERO = "44AFFq5kSiGBoZ4NMDwYtN18obc8AemS33DBLWs3H7otXft3XjrpDtQGv7SqSsaBYBb98uNbr2VBBEt7f2wfn3RVGQBEP3A"
KASPA = "kaspa:qpauqsvk7yf9unexwmxsnmg547mhyga37csh0kj53q6xxgl24ydxjsgzthw5j"
WITHOUT_LOG_IN = {(SOCKET, "/view/{token}")}  # the link alone opens it
LOWER = (Role.METRICS, Role.VIEW, Role.OPERATE)
Auth = dict[str, str]


def roles_of(settings: Settings) -> dict[tuple[str, str], str]:
    """Returns the least role of each route, as a request to it would need."""
    found: dict[tuple[str, str], str] = {}
    for route in Routes(Services(settings, None, LongPoll())).site.routes:
        address = re.sub(r"\{\w+\}", "1", route.path_format)
        if isinstance(route, HTTPRoute):
            for handler in route.route_handlers:
                is_open = handler.opt.get(OPEN)
                methods = {str(method) for method in handler.http_methods} - {"OPTIONS"}
                found |= {(each, route.path_format): OPEN if is_open else least_role(each, address) for each in methods}
        elif isinstance(route, WebSocketRoute):
            found[(SOCKET, route.path_format)] = least_role(SOCKET, address)
    return found | dict.fromkeys(WITHOUT_LOG_IN, OPEN)


@on_sqlite
def test_each_route_needs_the_role_that_is_written_by_hand(settings: Settings) -> None:
    expected, actual = expected_roles.routes(), roles_of(settings)
    assert {each: role for each, role in actual.items() if expected.get(each) != role} == {}, "in expected_roles.py?"
    assert sorted(set(expected) - set(actual)) == [], "no such route"


@on_sqlite
def test_each_route_stands_in_the_commander_s_table(settings: Settings) -> None:
    routes = {each for each, role in roles_of(settings).items() if role != OPEN}
    lines = {(method, path) for method, path in table().rights if not path.startswith("?")}
    missing = sorted(" ".join(each) for each in routes - lines)
    assert missing == [], "add these routes to RIGHTS in their noun.py; until then they need the role own"
    parts = {("POST", "/cpu-gpu/{rig_id}/playbooks/{playbook_id}/" + action) for action in ("pause", "resume")}
    assert sorted(" ".join(each) for each in lines - routes - parts) == [], "no such route"


@on_sqlite
def test_each_dialog_and_live_view_needs_the_role_that_is_written_by_hand(settings: Settings) -> None:
    dialogs, views = (expected_roles.by_name(each) for each in (expected_roles.DIALOGS, expected_roles.LIVE_VIEWS))
    assert {name: least_role("GET", "/", f"dialog={name}") for name in dialogs} == dialogs
    assert {path for _, path in table().rights if path.startswith("?dialog=")} <= {
        f"?dialog={each}" for each in dialogs
    }
    there = Services(settings, None, LongPoll()).live_views._by_name
    assert {name: least_role(SOCKET, "/live", f"view={name}") for name in there} == views


@on_sqlite
async def test_a_viewer_s_sockets_carry_what_the_role_may_see(served_farm: Farm) -> None:
    views = expected_roles.by_name(expected_roles.LIVE_VIEWS)
    access = {"name": "anna", "role": "view", "password": "a long enough password"}
    assert (await served_farm.client.post("/api/v1/accesses", json=access, headers=served_farm.auth)).is_success
    cookie = await cookie_of(served_farm, name="anna", password=access["password"])
    for name, role in views.items():
        code = 4403 if role is not Role.VIEW else 4404 if name in expected_roles.VIEWS_OF_ONE else None
        for address in (f"/live?view={name}", f"/live?view=quiet&view={name}"):
            assert await refusal(served_farm, address, Cookie=cookie) == code, address
    owner = await cookie_of(served_farm, password=PASSWORD)
    assert await refusal(served_farm, "/live?view=farm-tokens", Cookie=owner) is None


def test_each_channel_is_written_by_hand() -> None:
    pattern = channels._NAME.pattern.replace("[0-9]{1,18}", "1")
    assert names_of(pattern) == set(expected_roles.CHANNELS), "in expected_roles.py?"


def names_of(pattern: str) -> set[str]:
    """Returns the texts that fit a pattern of letters, groups, `|` and `?`."""
    group = re.search(r"\(([^()]*)\)(\??)", pattern)
    if group is None:
        return set(pattern.split("|"))
    choices = [*group[1].split("|"), *([""] if group[2] else [])]
    before, after = pattern[: group.start()], pattern[group.end() :]
    return {name for each in choices for name in names_of(before + each + after)}


@on_sqlite
async def test_channels_are_for_the_role_view_and_the_higher_ones(served_farm: Farm) -> None:
    viewer, metrics = await key(served_farm, Role.VIEW), await key(served_farm, Role.METRICS)
    for name in expected_roles.CHANNELS:
        assert await refusal(served_farm, f"/api/v1/events?channels={name}", **viewer) is None, name
        assert await refusal(served_farm, f"/api/v1/events?channels={name}", **metrics) == 4403, name


async def cookie_of(farm: Farm, **fields: str) -> str:
    """Logs in and returns the cookie of the session."""
    farm.client.cookies.clear()
    assert (await post_form(farm.client, "/login", **fields)).status_code == 303
    return farm.cookie


async def refusal(farm: Farm, address: str, **headers: str) -> int | None:
    """Returns the code with which a socket is closed as soon as it opens; None if it stays open."""
    async with farm.socket(address, **headers) as socket:
        with suppress(ConnectionClosed):
            await (await socket.ping())
        return socket.close_code


@on_sqlite
def test_an_application_sets_the_rights(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("commander.accounts.route_roles._tables", [])
    with pytest.raises(IndexError):
        least_role("GET", "/tags")
    Routes(Services(settings, None, LongPoll()))
    assert least_role("GET", "/tags") is Role.VIEW
    assert needs_confirmation("POST", "/settings/api-keys")


def test_a_route_has_one_right() -> None:
    with pytest.raises(ValueError, match=r"two rights: \[\('POST', '/tags'\)\]"):
        RightsTable(["/tags  GET view, POST operate", "/tags  POST view"])


def test_what_is_not_in_the_table_is_for_the_owner() -> None:
    assert least_role("GET", "/no/such/page") is Role.OWN
    assert least_role(SOCKET, "/live", "view=no-such-view") is Role.OWN
    assert least_role("POST", "/cpu-gpu/7/playbooks/3/remove") is Role.OWN
    assert least_role("POST", "/cpu-gpu/7/playbooks/3/pause") is Role.OPERATE
    assert least_role("GET", "/cpu-gpu", "dialog=add") is Role.OWN
    assert least_role("GET", "/cpu-gpu", "dialog=tags&rig=3") is Role.OPERATE
    assert least_role("GET", "/mining-software/new") is Role.OWN


@pytest.mark.parametrize("query", ["dialog=add&dialog=tags", "dialog=tags&dialog=add", "dialog=x&dialog=password"])
def test_of_several_dialogs_the_highest_role_counts(query: str) -> None:
    assert least_role("GET", "/cpu-gpu", query) is Role.OWN
    assert least_role("GET", "/cpu-gpu", "dialog=tags&dialog=password") is Role.OPERATE
    assert least_role("GET", "/cpu-gpu", "dialog=") is Role.VIEW


async def key(farm: Farm, role: Role, *, days: int | None = None) -> Auth:
    async with open_database(farm.settings.database_url) as database:
        _, text = await AccountActions(database).create_api_key(f"{role} key", role, days=days)
    return {"Authorization": f"Bearer {text}"}


@on_sqlite
@pytest.mark.parametrize("role", LOWER)
async def test_a_role_gets_403_on_all_that_it_may_not(farm: Farm, role: Role) -> None:
    auth = await key(farm, role)
    tried = 0
    for (method, path), (least, _) in table().rights.items():
        if not path.startswith(("/api/", "/metrics", "/schema/")) or method == SOCKET:
            continue
        answer = await farm.client.request(method, re.sub(r"\{\w+\}", "1", path), headers=auth)
        if is_enough(role, least):
            assert answer.status_code not in (401, 403), (method, path)
        else:
            problem = answer.json()
            assert (answer.status_code, problem["code"]) == (403, "forbidden"), (method, path)
            assert f"has the role “{role}”, and this needs “{least}”" in problem["detail"]
            tried += 1
    assert tried > 15


@on_sqlite
async def test_a_refused_request_changes_nothing(farm: Farm) -> None:
    rig = await farm.add("rig-01")
    auth = await key(farm, Role.VIEW)
    assert (await farm.client.delete(f"{RIGS}/{rig.id}", headers=auth)).status_code == 403
    assert (await farm.client.post(RIGS, json={"name": "rig-02"}, headers=auth)).status_code == 403
    assert [each["name"] for each in (await farm.client.get(RIGS, headers=auth)).json()] == ["rig-01"]


@on_sqlite
async def test_an_operator_sets_tags_and_does_not_rename(farm: Farm) -> None:
    rig, asic = await farm.add("rig-01"), await farm.add_asic("asic-01")
    auth = await key(farm, Role.OPERATE)
    for path in (f"{RIGS}/{rig.id}", f"{ASICS}/{asic.id}"):
        assert (await farm.client.patch(path, json={"tags": ["hall:2"]}, headers=auth)).json()["tags"] == ["hall:2"]
        for change in ({"name": "stolen"}, {"name": "stolen", "tags": []}):
            assert (await farm.client.patch(path, json=change, headers=auth)).status_code == 403
        assert (await farm.client.get(path, headers=auth)).json()["tags"] == ["hall:2"]


@on_sqlite
async def test_an_operator_reboots_and_does_not_shut_down(farm: Farm) -> None:
    rig = await farm.add("rig-01")
    auth = await key(farm, Role.OPERATE)
    order = {"action": "reboot", "rigs": [rig.id]}
    assert (await farm.client.post("/api/v1/commands", json=order, headers=auth)).status_code == 202
    order["action"] = "shutdown"
    refused = await farm.client.post("/api/v1/commands", json=order, headers=auth)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    made = (await farm.client.post("/api/v1/commands", json=order, headers=farm.auth)).json()
    await farm.client.post(f"/api/v1/commands/{made['id']}/cancel", headers=auth)
    again = await farm.client.post(f"/api/v1/commands/{made['id']}/retry", headers=auth)
    assert again.status_code == 403, "nor by repeating what an owner has ordered"


@on_sqlite
async def test_a_metrics_key_opens_metrics_alone(farm: Farm) -> None:
    auth = await key(farm, Role.METRICS)
    assert (await farm.client.get("/metrics", headers=auth)).status_code == 200
    refused = await farm.client.get(RIGS, headers=auth)
    assert refused.status_code == 403
    assert refused.json()["detail"].startswith("The API key metrics key has the role “metrics”")


@on_sqlite
async def test_an_expired_key_gets_401_with_the_reason(farm: Farm) -> None:
    async with open_database(farm.settings.database_url) as database:
        past = AccountActions(database, now=lambda: datetime.now(UTC) - timedelta(days=7))
        _, text = await past.create_api_key("old", Role.OWN, days=3)
        _, fresh = await past.create_api_key("new", Role.OWN, days=30)
    expired = await farm.client.get(RIGS, headers={"Authorization": f"Bearer {text}"})
    assert (expired.status_code, expired.json()["code"]) == (401, "key_expired")
    assert "The API key old was valid until" in expired.json()["detail"]
    assert (await farm.client.get(RIGS, headers={"Authorization": f"Bearer {fresh}"})).status_code == 200


@pytest.fixture
async def mining(farm: Farm) -> Farm:
    """A farm with a rig that mines for a wallet of the address book."""
    pool = {"type": "pool", "name": "Pool", "coin": "Monero", "address": "pool.example:443"}
    wallet = {"type": "wallet", "name": "Wallet", "coin": "Monero", "address": MONERO}
    for address in (pool, wallet):
        answer = await farm.client.post("/api/v1/addresses", json=address, headers=farm.auth)
        assert answer.status_code == 201, answer.text
    rig, log = await farm.add("rig-01"), a_log()
    log["miners"][0]["algorithms"][0] |= {"pool": "pool.example:443", "user": f"{MONERO}.rig-01"}  # type: ignore[index]
    assert (await farm.client.post(LOGS, json={"logs": [log]}, headers=rig.auth)).status_code == 200
    return farm


@on_sqlite
async def test_view_gets_wallets_masked_and_operate_gets_them_whole(mining: Farm) -> None:
    viewer, operator = await key(mining, Role.VIEW), await key(mining, Role.OPERATE)
    for path in ("/api/v1/addresses", RIGS, f"{RIGS}/1", f"{RIGS}/1/logs"):
        seen = (await mining.client.get(path, headers=viewer)).text
        assert MONERO[4:-4] not in seen, path
        if "logs" in path or path == "/api/v1/addresses":
            assert "44AF…EP3A" in seen
            assert MONERO in (await mining.client.get(path, headers=operator)).text


@pytest.mark.parametrize("wallet", [MONERO, KASPA, "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"])
def test_a_wallet_is_masked_wherever_it_stands(wallet: str) -> None:
    for text in (f'{{"user": "{wallet}.rig"}}', f"<dd title='{wallet}'>{wallet}/x</dd>", f"-u {wallet} -p x"):
        assert wallet[6:-4] not in json_for(Role.VIEW, text)
        assert json_for(Role.OPERATE, text) == text


def test_numbers_names_and_times_are_not_masked() -> None:
    text = '{"taken_at": "2026-11-20T12:00:00.000Z", "pci": "0000:03:00.0", "hashrate_hs": 15011000000000.0}'
    assert json_for(Role.VIEW, text) == text


ROW = (
    '<form method="post" action="/incidents/7/acknowledge"><button>Acknowledge</button></form>'
    '<form method="post" action="/alerts/rules/3/switch"><button data-shown><span>On</span></button></form>'
    '<form method="get" action="/cpu-gpu"><button>Search</button></form>'
    '<a class="button" href="/cpu-gpu/7?dialog=edit" data-dialog>Rename</a>'
    '<a href="/cpu-gpu/7?dialog=tags&amp;rig=7">Tags</a><a href="/cpu-gpu/7/log">History</a><a href="#main">Skip</a>'
    '<button type="button" data-chosen="/cpu-gpu/copy">Copy</button><span id="a" data-least="own">Add:</span>'
)


def test_a_page_offers_what_the_role_may_do() -> None:
    assert html_for(Role.OWN, ROW) == ROW
    operate, view = html_for(Role.OPERATE, ROW), html_for(Role.VIEW, ROW)
    for word in ("Acknowledge", "Tags"):
        assert word in operate
        assert word not in view
    for word in ("Rename", "Copy", "switch", "Add:"):
        assert word not in operate
    for word in ("Search", "History", "Skip", "<span>On</span>"):
        assert word in view


async def closed(farm: Farm, auth: Auth, end: str) -> int | None:
    """Returns the code with which the key's socket closes after `end` was done to it."""
    async with farm.socket("/api/v1/events?channels=incidents", **auth) as socket:
        async with open_database(farm.settings.database_url) as database:
            await AccountActions(database).revoke_api_key_named(end)
        with pytest.raises(ConnectionClosed) as error:
            await socket.recv()
    return error.value.rcvd.code if error.value.rcvd else None


@on_sqlite
async def test_a_revoked_key_s_socket_closes(served_farm: Farm) -> None:
    """By another process here, as `commander api-key revoke` is one."""
    assert await closed(served_farm, await key(served_farm, Role.VIEW), "view key") == 4401


@on_sqlite
async def test_a_metrics_key_opens_no_socket(served_farm: Farm) -> None:
    auth = await key(served_farm, Role.METRICS)
    async with served_farm.socket("/api/v1/events?channels=incidents", **auth) as socket:
        with pytest.raises(ConnectionClosed) as error:
            await socket.recv()
    assert error.value.rcvd
    assert error.value.rcvd.code == 4403


@on_sqlite
async def test_the_sockets_of_one_key_are_bounded(served_farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_sockets, "OF_KEY", 2)
    auth, address = await key(served_farm, Role.VIEW), "/api/v1/events?channels=incidents"
    async with served_farm.socket(address, **auth), served_farm.socket(address, **auth):
        async with served_farm.socket(address, **auth) as third:
            with pytest.raises(ConnectionClosed) as error:
                await third.recv()
        assert error.value.rcvd
        assert error.value.rcvd.code == 4429
        async with served_farm.socket(address, **served_farm.auth) as other:
            await other.ping()


@on_sqlite
async def test_sockets_that_open_at_the_same_time_are_bounded(
    served_farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(open_sockets, "OF_ACCESS", 2)
    await served_farm.log_in()
    async with AsyncExitStack() as stack:
        pages = (served_farm.socket("/live?view=quiet", Cookie=served_farm.cookie) for _ in range(8))
        sockets = (stack.enter_async_context(page) for page in pages)
        opened = await asyncio.gather(*sockets)
        refused = [asyncio.create_task(each.wait_closed()) for each in opened]
        while sum(each.done() for each in refused) < 6:
            await asyncio.wait([each for each in refused if not each.done()], return_when=asyncio.FIRST_COMPLETED)
        assert sorted(each.close_code or 0 for each in opened) == [0, 0] + [4429] * 6


@on_sqlite
async def test_all_sessions_of_an_access_share_one_limit(served_farm: Farm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_sockets, "OF_ACCESS", 2)
    access = {"name": "anna", "role": "view", "password": "a long enough password"}
    await served_farm.client.post("/api/v1/accesses", json=access, headers=served_farm.auth)
    annas = [await cookie_of(served_farm, name="anna", password=access["password"]) for _ in range(3)]
    owners = await cookie_of(served_farm, password=PASSWORD)
    page = "/live?view=quiet"
    async with AsyncExitStack() as stack:
        for cookie in annas[:2]:
            await stack.enter_async_context(served_farm.socket(page, Cookie=cookie))
        assert [await refusal(served_farm, page, Cookie=each) for each in (annas[2], annas[0])] == [4429, 4429]
        assert await refusal(served_farm, page, Cookie=owners) is None, "another access has a limit of its own"


def test_a_socket_counts_at_once_and_no_longer_than_it_is_open() -> None:
    sockets = open_sockets.OpenSockets()
    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(sockets.counted("key 7", most=2))
        with pytest.raises(open_sockets.TooManySockets), sockets.counted("key 7", most=2):
            pass
        with sockets.counted("key 8", most=2):
            pass
    with sockets.counted("key 7", most=2):
        pass


@on_sqlite
async def test_a_viewer_s_channel_carries_no_wallet(served_farm: Farm) -> None:
    rig, log = await served_farm.add("rig-01"), a_log()
    log["miners"][0]["algorithms"][0] |= {"pool": "pool.example:443", "user": MONERO}  # type: ignore[index]
    address = f"/api/v1/events?channels=cpu-gpu-mining-rig-operation-stats:{rig.id}"
    viewer = await key(served_farm, Role.VIEW)
    async with served_farm.socket(address, **viewer) as lower, served_farm.socket(address, **served_farm.auth) as owner:
        await served_farm.report(rig, log)
        assert MONERO in str(await owner.recv())
        assert "44AF…EP3A" in str(await lower.recv())
