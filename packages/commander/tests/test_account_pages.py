"""Login, logout, settings."""

import asyncio
import re
import threading

import httpx
import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher
from commander.accounts import actions
from commander.accounts.actions import AccountActions
from commander.accounts.browsers import browser_text
from commander.accounts.domain import ApiKey, Role
from commander.accounts.login_guard import QUEUE
from commander.db import open_database
from commander.settings import Settings
from commander.settings_pages.pages import local_path
from commander_farm import PASSWORD, Farm, a_log, on_sqlite, running
from msgspec.structs import replace


async def log_in(client: httpx.AsyncClient, password: str, next_page: str = "/cpu-gpu") -> httpx.Response:
    return await client.post("/login", data={"password": password, "next": next_page}, follow_redirects=False)


async def test_who_is_not_logged_in_gets_the_login_page_and_comes_back(farm: Farm) -> None:
    answer = await farm.client.get("/cpu-gpu?sort=power", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?next=%2Fcpu-gpu%3Fsort%3Dpower")
    page = await farm.client.get(answer.headers["location"])
    assert '<input type="hidden" name="next" value="/cpu-gpu?sort=power">' in page.text
    done = await log_in(farm.client, PASSWORD, "/cpu-gpu?sort=power")
    assert (done.status_code, done.headers["location"]) == (303, "/cpu-gpu?sort=power")


async def test_a_wrong_password_comes_back_with_its_error(farm: Farm) -> None:
    for password in ("", "wrong", "x" * 1000, "<script>"):
        answer = await log_in(farm.client, password)
        assert answer.status_code == 422
        assert "That is not the password." in answer.text
        assert 'aria-describedby="error-password" aria-invalid="true"' in answer.text
        assert "set-cookie" not in answer.headers
    assert (await farm.client.get("/cpu-gpu", follow_redirects=False)).status_code == 303


async def test_guessing_is_slowed_down(farm: Farm) -> None:
    answers = [await log_in(farm.client, "wrong") for _ in range(11)]
    assert answers[-1].status_code == 429
    assert "wait a minute" in answers[-1].text
    assert answers[-1].headers["Retry-After"] == "60"
    assert answers[-1].headers["X-Content-Type-Options"] == "nosniff"
    assert '<form method="post" action="/login"' in answers[-1].text
    assert re.match(r"\s*<!doctype html>\s*<html", answers[-1].text)


async def test_a_browser_that_has_logged_in_before_gets_in_during_an_attack(farm: Farm) -> None:
    first = await log_in(farm.client, PASSWORD)
    known = farm.client.cookies["minewarden_browser"]
    assert "HttpOnly" in next(each for each in first.headers.get_list("set-cookie") if "browser" in each)
    farm.client.cookies.clear()
    while (await log_in(farm.client, "wrong")).status_code != 429:
        pass
    assert (await log_in(farm.client, PASSWORD)).status_code == 429
    farm.client.cookies["minewarden_browser"] = known
    assert (await log_in(farm.client, PASSWORD)).status_code == 303
    assert farm.client.cookies["minewarden_browser"] == known


class HeldHasher(PasswordHasher):
    """Hashes a wrong password only when it is `released`, as if the processor had no end of work."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.held, self.released = threading.Event(), threading.Event()

    def verify(self, hashed: str | bytes, password: str | bytes) -> bool:  # type: ignore[override]
        if password != PASSWORD:
            self.held.set()
            assert self.released.wait(timeout=60)
        return super().verify(hashed, password)


@on_sqlite
async def test_guesses_of_strangers_hold_up_neither_a_known_browser_nor_a_report(
    served_farm: Farm, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, rig = served_farm.client, await served_farm.add("rig-07")
    await log_in(client, PASSWORD)
    known = {"Cookie": f"minewarden_browser={client.cookies['minewarden_browser']}"}
    client.cookies.clear()
    hasher = HeldHasher()
    monkeypatch.setattr(actions, "_hasher", hasher)
    guesses = [asyncio.create_task(log_in(client, "a guess")) for _ in range(QUEUE + 1)]
    try:
        assert await asyncio.to_thread(hasher.held.wait, 60)
        again = await client.post("/login", data={"password": PASSWORD}, headers=known, follow_redirects=False)
        assert again.status_code == 303
        await served_farm.report(rig, a_log())
        assert not any(guess.done() for guess in guesses)
    finally:
        hasher.released.set()
    assert {(await guess).status_code for guess in guesses} == {422}


async def test_a_refused_log_in_is_answered_before_its_body_is_read(farm: Farm) -> None:
    for _ in range(10):
        await log_in(farm.client, "wrong")
    too_large = {"password": "x" * 10_000}
    assert (await farm.client.post("/login", data=too_large)).status_code == 429


@on_sqlite
async def test_a_log_in_while_the_database_fails_is_answered_by_a_page(farm: Farm) -> None:
    await log_in(farm.client, PASSWORD)
    async with open_database(farm.settings.database_url) as database, database.transaction() as db:
        await db.execute(sa.text("ALTER TABLE secrets RENAME TO away"))
    del farm.client.cookies["minewarden_session"]
    farm.client.cookies["minewarden_browser"] = f"2{farm.client.cookies['minewarden_browser']}"
    answer = await log_in(farm.client, PASSWORD)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    assert "<h1" in answer.text


@pytest.mark.parametrize(
    "address",
    ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/a b", "", "/login?next=/"],
)
def test_login_leads_to_no_other_site(address: str) -> None:
    assert local_path(address) == "/"


def test_login_leads_back_to_a_page() -> None:
    assert local_path("/cpu-gpu/7?dialog=edit") == "/cpu-gpu/7?dialog=edit"


async def test_the_cookie_is_out_of_reach_for_scripts_and_other_sites(farm: Farm) -> None:
    cookie = (await log_in(farm.client, PASSWORD)).headers["set-cookie"]
    assert "minewarden_session=" in cookie
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Secure" not in cookie, "plain HTTP on loopback"


async def test_with_https_the_cookie_is_secure(settings: Settings) -> None:

    async with running(replace(settings, public_url="https://farm.example")) as client:
        client.base_url = "https://farm.example"
        answer = await log_in(client, PASSWORD)
        for cookie in answer.headers.get_list("set-cookie"):
            assert cookie.startswith("__Host-minewarden_")
            assert "Secure" in cookie
            assert "Path=/" in cookie
            assert "Domain" not in cookie
        (session,) = (value for name, value in client.cookies.items() if name.endswith("session"))
        shown = await client.get("/settings", headers={"Cookie": f"__Host-minewarden_session={session}"})
        assert shown.status_code == 200
        client.cookies.clear()
        plain = await client.get(
            "/settings", headers={"Cookie": f"minewarden_session={session}"}, follow_redirects=False
        )
        assert plain.status_code == 303, "a cookie that plain HTTP could have set"


async def test_who_is_logged_in_does_not_see_the_login_page(farm: Farm) -> None:
    await farm.log_in()
    answer = await farm.client.get("/login?next=/settings", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/settings")


async def test_logging_out_ends_the_session(farm: Farm) -> None:
    await farm.log_in()
    cookie = farm.client.cookies["minewarden_session"]
    answer = await farm.client.post("/logout", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    again = await farm.client.get(
        "/settings", headers={"Cookie": f"minewarden_session={cookie}"}, follow_redirects=False
    )
    assert again.status_code == 303


async def test_settings_show_sessions_and_end_them(farm: Farm) -> None:
    await farm.log_in()
    first = farm.client.cookies["minewarden_session"]
    farm.client.cookies.clear()
    await farm.client.post(
        "/login", data={"password": PASSWORD}, headers={"User-Agent": "Mozilla/5.0 (Windows) Firefox/145.0"}
    )
    html = (await farm.client.get("/settings")).text
    assert html.count("This one") == 1
    assert "Firefox on Windows" in html
    other = next(
        number
        for number in re.findall(r'id="session-(\d+)"', html)
        if "This one" not in html.split(f'id="session-{number}"')[1].split("</tr>")[0]
    )
    await farm.client.post(f"/settings/sessions/{other}/end")
    farm.client.cookies.clear()
    answer = await farm.client.get(
        "/settings", headers={"Cookie": f"minewarden_session={first}"}, follow_redirects=False
    )
    assert answer.status_code == 303


async def test_every_page_has_a_socket_but_the_login_page(farm: Farm) -> None:
    assert "data-live" not in (await farm.client.get("/login")).text
    await farm.log_in()
    paths = ["/settings", "/templates", "/mining-software", "/mining-software/new", "/cpu-gpu", "/asics", "/nowhere"]
    for path in paths:
        assert 'data-live="/live?view=' in (await farm.client.get(path)).text, path


async def test_an_api_key_is_shown_once_and_works_until_it_is_revoked(farm: Farm) -> None:
    await farm.log_in()
    html = (await farm.client.post("/settings/api-keys", data={"name": "backup <b>", "role": "view"})).text
    assert "A key's name has" not in html or "aria-invalid" in html
    html = (await farm.client.post("/settings/api-keys", data={"name": "backup", "role": "view"})).text
    key = re.search(r'id="created-key"[^>]*>(mw_key_[0-9a-f]+)<', html)
    assert key
    listed = (await farm.client.get("/settings")).text
    assert key[1] not in listed
    number = re.search(r'id="key-(\d+)"><th[^>]*>backup<', listed)
    assert number
    dialog = (await farm.client.get(f"/settings?dialog=revoke&key={number[1]}")).text
    assert "Revoke backup" in dialog
    auth = {"Authorization": f"Bearer {key[1]}"}
    assert (await farm.client.get("/api/v1/cpu-gpu-rigs", headers=auth)).status_code == 200
    await farm.client.post(f"/settings/api-keys/{number[1]}/revoke")
    farm.client.cookies.clear()
    assert (await farm.client.get("/api/v1/cpu-gpu-rigs", headers=auth)).status_code == 401


@pytest.mark.parametrize("name", ["", "x" * 1000, "<script>", "tests"])
async def test_a_bad_key_name_comes_back_with_its_error(farm: Farm, name: str) -> None:
    await farm.log_in()
    answer = await farm.client.post("/settings/api-keys", data={"name": name})
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.text
    assert "<script>" not in answer.text


def test_a_browser_is_named_as_people_know_it() -> None:
    chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Safari/537.36"
    assert browser_text(chrome) == "Chrome on Linux"
    assert browser_text(f"{chrome} Edg/142.0") == "Edge on Linux"
    assert browser_text("curl/8.5.0") == "curl/8.5.0"
    assert browser_text("") == "Unknown program"


async def test_styles_and_scripts_need_no_login_and_are_kept_for_ever(farm: Farm) -> None:
    html = (await farm.client.get("/login")).text
    addresses = re.findall(r'(?:src|href)="(/assets/[^"]+)"', html)
    assert {address.rpartition(".")[2] for address in addresses} == {"js", "css", "svg"}
    for address in addresses:
        answer = await farm.client.get(address)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]


async def test_an_address_that_is_none_says_where_to_go(farm: Farm) -> None:
    await farm.log_in()
    answer = await farm.client.get("/no-such-page")
    assert answer.status_code == 404
    assert '<a class="button primary" href="/cpu-gpu">' in answer.text


async def test_a_session_with_an_impossible_number_is_not_found(farm: Farm) -> None:
    await farm.log_in()
    answer = await farm.client.post(f"/settings/sessions/{10**30}/end")
    assert answer.status_code == 404


async def test_a_key_is_made_with_a_role_and_an_end(farm: Farm) -> None:
    await farm.log_in()
    html = (await farm.client.post("/settings/api-keys", data={"name": "wall", "role": "view", "days": "30"})).text
    key = re.search(r'id="created-key"[^>]*>(mw_key_[0-9a-f]+)<', html)
    assert key
    row = (await farm.client.get("/settings")).text.split(">wall<")[1].split("</tr>")[0]
    assert '<td data-label="Role">View</td>' in row
    assert "No end" not in row
    auth = {"Authorization": f"Bearer {key[1]}"}
    assert (await farm.client.delete("/api/v1/cpu-gpu-rigs/1", headers=auth)).status_code == 403


async def test_a_new_key_has_the_least_role_and_an_end_unless_somebody_chooses_more(farm: Farm) -> None:
    await farm.log_in()
    form = (await farm.client.get("/settings")).text.split('action="/settings/api-keys"')[1].split("</form>")[0]
    assert re.findall(r'<option value="(\w+)" selected', form) == ["metrics"]
    assert re.search(r'name="days"[^>]* value="90"', form)
    await farm.client.post("/settings/api-keys", data={"name": "wall"})
    (key,) = [each for each in await keys_of(farm) if each.name == "wall"]
    assert key.role is Role.METRICS
    assert key.expires_at
    assert (key.expires_at - key.created_at).days == 90


async def keys_of(farm: Farm) -> list[ApiKey]:
    async with open_database(farm.settings.database_url) as database:
        return await AccountActions(database).api_keys()


@pytest.mark.parametrize(
    ("fields", "field", "sentence"),
    [
        ({"days": "0"}, "days", "1 to 3,650 days"),
        ({"days": "soon"}, "days", "1 to 3,650 days"),
        ({"role": "root"}, "role", "one of metrics, view, operate, own"),
    ],
)
async def test_a_wrong_field_of_a_new_key_comes_back_with_its_error(
    farm: Farm, fields: dict[str, str], field: str, sentence: str
) -> None:
    await farm.log_in()
    answer = await farm.client.post("/settings/api-keys", data={"name": "wall", **fields})
    assert answer.status_code == 422
    assert sentence in answer.text.split(f'id="error-{field}"')[1].split("</p>")[0]
    assert 'value="wall"' in answer.text
