"""Named accesses: logging in by name, roles on pages, the second factor, and the password that is asked for again."""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pyotp
import pytest
import sqlalchemy as sa
from commander.accounts.access_actions import AccessActions
from commander.accounts.access_domain import checked_access_name
from commander.accounts.actions import AccountActions
from commander.accounts.confirmations import Confirmations
from commander.accounts.domain import BadKeyName, NotSignedIn, Role, Session, WrongConfirmation, is_enough
from commander.accounts.route_roles import SOCKET, table
from commander.accounts.second_factor import RECOVERY_CODES, STEP_S, matching_step
from commander.accounts.second_factor_actions import TOTP_PURPOSE, SecondFactorActions
from commander.db import Database, metadata, open_database
from commander.private_files import SECRETS_KEY
from commander.saved_views.actions import SavedViewActions
from commander.saved_views.links import ViewLinks
from commander.sealing import Sealer, SecretsUnreadable
from commander.settings_pages.access_page import AccessPage
from commander_farm import PASSWORD, Farm, make_stale, on_sqlite, post_form
from filelock import FileLock
from litestar.testing import RequestFactory
from playbook_farm import Playbooks
from websockets import ConnectionClosed

ACCESSES = "/api/v1/accesses"
LONG = "a long enough password"
POOL = {"type": "pool", "name": "Pool", "coin": "Monero", "address": "pool.example:443"}
MONERO = "44AFFq5kSiGBoZ4NMDwYtN18obc8AemS33DBLWs3H7otXft3XjrpDtQGv7SqSsaBYBb98uNbr2VBBEt7f2wfn3RVGQBEP3A"


async def add(farm: Farm, name: str = "anna", role: str = "view") -> int:
    body = {"name": name, "role": role, "password": LONG}
    answer = await farm.client.post(ACCESSES, json=body, headers=farm.auth)
    assert answer.status_code == 201, answer.text
    return int(answer.json()["id"])


async def log_in(farm: Farm, name: str = "", password: str = LONG, code: str = "") -> httpx.Response:
    farm.client.cookies.clear()
    return await post_form(farm.client, "/login", name=name, password=password, code=code)


async def audit(farm: Farm) -> list[dict[str, str]]:
    entries = (await farm.get("/api/v1/audit")).json()["entries"]
    return list(entries)


@on_sqlite
async def test_at_first_there_is_the_owner_alone_and_the_log_in_asks_for_the_password_alone(farm: Farm) -> None:
    (owner,) = (await farm.get(ACCESSES)).json()["accesses"]
    assert (owner["name"], owner["role"], owner["totp"]) == ("owner", "own", False)
    form = (await farm.client.get("/login")).text
    assert 'name="name"' not in form
    assert 'name="code"' not in form
    assert (await log_in(farm, password=PASSWORD)).status_code == 303


@on_sqlite
async def test_an_access_logs_in_by_its_name_and_is_named_in_the_audit_log(farm: Farm) -> None:
    await add(farm, "Anna", "operate")
    assert (await log_in(farm, "anna", PASSWORD)).status_code == 422, "the owner's password is not hers"
    assert (await log_in(farm, "", LONG)).status_code == 422, "nor hers the owner's"
    assert (await log_in(farm, " ANNA ")).status_code == 303
    rig = await farm.add("rig-01")
    await post_form(farm.client, f"/cpu-gpu/{rig.id}/tags", tags="hall:2")
    newest = (await audit(farm))[0]
    assert (newest["who"], newest["what"]) == ("Anna", "tags changed")


@on_sqlite
async def test_the_log_in_form_gets_a_name_when_there_is_a_second_access(farm: Farm) -> None:
    async with open_database(farm.settings.database_url) as database:
        actions = AccessActions(database, AccountActions(database))
        assert not (await actions.login_fields()).name
        await actions.add("anna", Role.VIEW, LONG)
        fresh = AccessActions(database, AccountActions(database))
        fields = await fresh.login_fields()
    assert fields.name
    assert not fields.code
    assert fields.wrong == "The name or the password is wrong."


@on_sqlite
@pytest.mark.parametrize("role", [Role.VIEW, Role.OPERATE])
async def test_a_role_gets_a_page_with_403_for_all_that_it_may_not(farm: Farm, role: Role) -> None:
    await add(farm, "anna", role)
    await log_in(farm, "anna")
    tried = 0
    for (method, path), (least, _) in table().rights.items():
        if path.startswith(("?", "/api/", "/metrics", "/schema/")) or method == SOCKET or is_enough(role, least):
            continue
        address = re.sub(r"\{\w+\}", "1", path)
        answer = await farm.client.request(method, address, follow_redirects=False)
        assert answer.status_code == 403, (method, path)
        assert f"Your access has the role “{role}”, and this needs “{least}”" in answer.text, (method, path)
        tried += 1
    assert tried > 30


@on_sqlite
async def test_pages_offer_no_button_that_the_role_may_not_use(farm: Farm) -> None:
    rig = await farm.add("rig-01")
    await farm.client.post("/api/v1/addresses", json=POOL, headers=farm.auth)
    await add(farm, "anna", "view")
    pages = ("/", "/cpu-gpu", f"/cpu-gpu/{rig.id}", "/templates", "/mining-software", "/alerts", "/watchdog", "/access")
    await log_in(farm, password=PASSWORD)
    owners = {path: (await farm.client.get(path)).text for path in pages}
    await log_in(farm, "anna")
    for path in pages:
        html = (await farm.client.get(path)).text
        forms = re.findall(r'<form[^>]*method="post"[^>]*action="([^"]*)"', html)
        assert [each for each in forms if each != "/logout" and not each.endswith(("end", "end-others"))] == [], path
        assert "dialog=" not in html.replace("dialog=password", "").replace("dialog=second-factor", ""), path
    assert "?dialog=add" in owners["/cpu-gpu"]
    assert "Remove" in owners[f"/cpu-gpu/{rig.id}"]


@on_sqlite
async def test_a_viewer_s_page_shows_a_wallet_masked(farm: Farm) -> None:
    wallet = {"type": "wallet", "name": "Wallet", "coin": "Monero", "address": MONERO}
    await farm.client.post("/api/v1/addresses", json=wallet, headers=farm.auth)
    await add(farm, "anna", "view")
    await log_in(farm, "anna")
    html = (await farm.client.get("/templates")).text
    assert "44AF…EP3A" in html
    assert MONERO not in html
    assert MONERO not in (await farm.client.get("/audit.csv")).text
    await log_in(farm, password=PASSWORD)
    assert MONERO in (await farm.client.get("/templates")).text


@on_sqlite
@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"name": "owner"}, 422, "bad_name"),
        ({"name": "API key x"}, 422, "bad_name"),
        ({"name": "ANNA"}, 409, "name_taken"),
        ({"password": "short"}, 422, "bad_name"),
        ({"role": "metrics"}, 422, "wrong_field"),
        ({"role": "root"}, 422, "wrong_field"),
    ],
)
async def test_a_wrong_access_is_refused(farm: Farm, change: dict[str, str], status: int, code: str) -> None:
    await add(farm, "anna")
    body = {"name": "bert", "role": "view", "password": LONG} | change
    answer = await farm.client.post(ACCESSES, json=body, headers=farm.auth)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


@on_sqlite
async def test_without_a_password_one_is_made_and_shown_once(farm: Farm) -> None:
    made = (await farm.client.post(ACCESSES, json={"name": "anna", "role": "view"}, headers=farm.auth)).json()
    assert (await log_in(farm, "anna", made["password"])).status_code == 303
    assert made["password"] not in (await farm.get(ACCESSES)).text


@on_sqlite
async def test_the_owner_s_access_stays(farm: Farm) -> None:
    for answer in (
        await farm.client.delete(f"{ACCESSES}/1", headers=farm.auth),
        await farm.client.patch(f"{ACCESSES}/1", json={"role": "view"}, headers=farm.auth),
        await farm.client.patch(f"{ACCESSES}/1", json={"password": LONG}, headers=farm.auth),
    ):
        assert (answer.status_code, answer.json()["code"]) == (409, "owner_stays")


@on_sqlite
async def test_a_removed_access_is_out_at_once(farm: Farm) -> None:
    number = await add(farm, "anna", "own")
    await log_in(farm, "anna")
    assert (await farm.client.get("/settings", follow_redirects=False)).status_code == 200
    assert (await farm.client.delete(f"{ACCESSES}/{number}", headers=farm.auth)).status_code == 204
    assert (await farm.client.get("/settings", follow_redirects=False)).status_code == 303
    assert (await log_in(farm, "anna")).status_code == 422
    assert (await farm.client.delete(f"{ACCESSES}/{number}", headers=farm.auth)).status_code == 404


@on_sqlite
async def test_a_changed_role_counts_at_once(farm: Farm) -> None:
    number = await add(farm, "anna", "own")
    await log_in(farm, "anna")
    await farm.client.patch(f"{ACCESSES}/{number}", json={"role": "view"}, headers=farm.auth)
    assert (await post_form(farm.client, "/cpu-gpu", name="rig-01")).status_code == 403


@on_sqlite
async def test_a_change_that_changes_nothing_is_none(farm: Farm) -> None:
    ended: list[str] = []
    async with open_database(farm.settings.database_url) as database:
        accounts = AccountActions(database)
        accesses = AccessActions(database, accounts, on_end=ended.append)
        access, _ = await accesses.add("anna", Role.VIEW, LONG)
        await accounts.log_in(LONG, address="192.168.1.9", user_agent="", name="anna")
        before = await audit(farm)
        assert await accesses.change(access.id, name=" anna ", role=Role.VIEW, forget_second_factor=True) == access
        assert ended == []
        assert await audit(farm) == before
        changed = await accesses.change(access.id, name="Anna", role=Role.VIEW)
        assert (changed.name, len(ended)) == ("Anna", 1)
        assert (await audit(farm))[0]["detail"] == "now called Anna"


@on_sqlite
async def test_a_second_factor_waits_for_the_key_without_blocking_the_commander(farm: Farm) -> None:
    secret = pyotp.random_base32()
    async with open_database(farm.settings.database_url) as database:
        accounts = AccountActions(database)
        session = await accounts.session_of(await accounts.log_in(PASSWORD, address="192.168.1.9", user_agent=""))
        assert session
        factors = SecondFactorActions(database, Sealer(farm.settings, TOTP_PURPOSE))
        folder = farm.settings.data_dir / "tls"
        folder.mkdir(exist_ok=True)
        with FileLock(folder / "secrets.lock", timeout=0):
            task = asyncio.create_task(factors.switch_on(session, secret, pyotp.TOTP(secret).now()))
            await asyncio.sleep(0)
        assert len(await task) == RECOVERY_CODES


@on_sqlite
async def test_a_removed_access_s_socket_closes(served_farm: Farm) -> None:
    number = await add(served_farm, "anna")
    await log_in(served_farm, "anna")
    cookie = "; ".join(f"{name}={value}" for name, value in served_farm.client.cookies.items())
    async with served_farm.socket("/live?view=quiet", Cookie=cookie) as socket:
        await served_farm.client.delete(f"{ACCESSES}/{number}", headers=served_farm.auth)
        with suppress(ConnectionClosed):
            while True:
                await socket.recv()
        assert socket.close_code == 4401


@on_sqlite
async def test_people_change_their_own_password(farm: Farm) -> None:
    await add(farm, "anna")
    await log_in(farm, "anna")
    first = dict(farm.client.cookies)
    await log_in(farm, "anna")
    wrong = await post_form(farm.client, "/access/password", old="wrong", new="another long one")
    assert wrong.status_code == 422
    assert 'id="error-old"' in wrong.text
    short = await post_form(farm.client, "/access/password", old=LONG, new="short")
    assert 'id="error-new"' in short.text
    done = await post_form(farm.client, "/access/password", old=LONG, new="another long one")
    assert done.headers["location"] == "/access?done=password"
    assert (await farm.client.get("/access", follow_redirects=False)).status_code == 200
    farm.client.cookies.clear()
    cookie = "; ".join(f"{name}={value}" for name, value in first.items())
    other = await farm.client.get("/access", headers={"Cookie": cookie}, follow_redirects=False)
    assert other.status_code == 303, "the other session has ended"
    assert (await log_in(farm, "anna", "another long one")).status_code == 303


@on_sqlite
async def test_guesses_of_the_present_password_end_the_session(farm: Farm) -> None:
    await add(farm, "anna")
    await log_in(farm, "anna")
    guess = {"old": "guess", "new": "another long one"}
    answers = [await post_form(farm.client, "/access/password", **guess) for _ in range(5)]
    assert [each.status_code for each in answers] == [422, 422, 422, 422, 303]
    assert answers[-1].headers["location"] == "/login"
    assert (await farm.client.get("/access", follow_redirects=False)).status_code == 303
    assert (await log_in(farm, "anna")).status_code == 303


@pytest.fixture
async def confirming(farm: Farm) -> AsyncIterator[tuple[Confirmations, AccountActions, Session]]:
    """The owner's session, and what confirms it."""
    async with open_database(farm.settings.database_url) as database:
        accounts = AccountActions(database)
        session = await accounts.session_of(await accounts.log_in(PASSWORD, address="192.168.1.9", user_agent=""))
        assert session
        factors = SecondFactorActions(database, Sealer(farm.settings, TOTP_PURPOSE))
        yield Confirmations(database, accounts, factors), accounts, session


@on_sqlite
async def test_guesses_at_the_same_time_are_no_more_than_five(
    confirming: tuple[Confirmations, AccountActions, Session],
) -> None:
    confirmations, accounts, session = confirming
    guesses = (confirmations.confirm(session, password=f"guess {each}") for each in range(20))
    answers = Counter(type(each) for each in await asyncio.gather(*guesses, return_exceptions=True))
    assert answers[WrongConfirmation] < 5
    assert answers[WrongConfirmation] + answers[NotSignedIn] == 20
    assert session.id not in {each.id for each in await accounts.sessions()}


@on_sqlite
async def test_a_request_under_way_when_five_guesses_end_its_session_gets_no_more_tries(
    confirming: tuple[Confirmations, AccountActions, Session],
) -> None:
    confirmations, _, session = confirming
    for error in [WrongConfirmation] * 4 + [NotSignedIn] * 2:
        with pytest.raises(error):
            await confirmations.confirm(session, password="guess")
    with pytest.raises(NotSignedIn):
        await confirmations.confirm(session, password=PASSWORD)


@on_sqlite
async def test_a_confirmation_that_can_t_be_checked_is_no_wrong_one(
    farm: Farm, confirming: tuple[Confirmations, AccountActions, Session]
) -> None:
    confirmations, _, session = confirming
    await farm.log_in()
    _, codes = await switch_on(farm)
    key = farm.settings.data_dir / "tls" / SECRETS_KEY
    key.write_bytes(b"x" * 32)
    for _ in range(6):
        with pytest.raises(SecretsUnreadable):
            await confirmations.confirm(session, code="000000")
    assert await confirmations.confirm(session, code=codes[0])


@on_sqlite
async def test_a_page_that_is_asked_for_while_the_access_is_removed_leads_to_the_log_in(farm: Farm) -> None:
    async with open_database(farm.settings.database_url) as database:
        accounts = AccountActions(database)
        cookie = await accounts.log_in(PASSWORD, address="192.168.1.9", user_agent="")
        session = await accounts.session_of(cookie)
        assert session
        request = RequestFactory().get("/access", user=replace(session, access_id=99))
        factors = SecondFactorActions(database, Sealer(farm.settings, TOTP_PURPOSE))
        shown = AccessPage(
            request,
            accounts,
            AccessActions(database, accounts),
            factors,
            farm.settings,
            saved_views=SavedViewActions(database, is_alone=True, on_end=lambda owner: None),
            view_links=ViewLinks(database),
        )
        with pytest.raises(NotSignedIn):
            await shown.show()


@on_sqlite
async def test_people_end_their_own_sessions_and_an_owner_ends_all(farm: Farm) -> None:
    await add(farm, "anna")
    await log_in(farm, password=PASSWORD)
    await log_in(farm, "anna")
    mine = (await farm.client.get("/access")).text
    assert mine.count('id="session-') == 1, "she does not see the owner's"
    assert (await post_form(farm.client, "/settings/sessions/1/end")).status_code == 403
    await post_form(farm.client, "/access/sessions/end-others")
    await log_in(farm, password=PASSWORD)
    assert (await farm.client.get("/access")).text.count('id="session-') == 3
    done = await post_form(farm.client, "/access/sessions/end-others", back="/settings")
    assert done.headers["location"] == "/settings"
    assert (await farm.client.get("/access")).text.count('id="session-') == 1


async def switch_on(farm: Farm) -> tuple[str, list[str]]:
    """Returns the secret of the second factor and the recovery codes."""
    dialog = (await farm.client.get("/access?dialog=second-factor")).text
    assert "<svg" in dialog
    shown = re.search(r'name="secret" value="([A-Z2-7 ]+)"', dialog)
    assert shown
    secret = shown[1].replace(" ", "")
    answer = await post_form(farm.client, "/access/second-factor", secret=shown[1], code=pyotp.TOTP(secret).now())
    codes = re.search(r'id="recovery-codes"[^>]*>([^<]+)<', answer.text)
    assert codes, answer.text
    return secret, codes[1].split()


@on_sqlite
async def test_a_second_factor_is_needed_at_the_log_in_and_no_code_works_twice(farm: Farm) -> None:
    await add(farm, "anna")
    await log_in(farm, "anna")
    secret, codes = await switch_on(farm)
    assert len(codes) == RECOVERY_CODES
    used = pyotp.TOTP(secret).now()
    assert (await log_in(farm, "anna")).status_code == 422
    assert (await log_in(farm, "anna", code=used)).status_code == 422, "the code that switched it on was used"
    following = pyotp.TOTP(secret).at(datetime.now(UTC) + timedelta(seconds=STEP_S))
    assert (await log_in(farm, "anna", code=following)).status_code == 303
    assert (await log_in(farm, "anna", code=following)).status_code == 422
    assert (await log_in(farm, "anna", code=f" {codes[0].upper()} ")).status_code == 303
    assert (await log_in(farm, "anna", code=codes[0])).status_code == 422
    assert [each["totp"] for each in (await farm.get(ACCESSES)).json()["accesses"]] == [False, True]


@on_sqlite
async def test_a_wrong_code_switches_nothing_on(farm: Farm) -> None:
    await farm.log_in()
    answer = await post_form(farm.client, "/access/second-factor", secret=pyotp.random_base32(), code="000000")
    assert answer.status_code == 422
    assert 'id="error-code"' in answer.text
    assert (await log_in(farm, password=PASSWORD)).status_code == 303


@on_sqlite
async def test_a_lost_phone_is_no_end(farm: Farm) -> None:
    number = await add(farm, "anna")
    await log_in(farm, "anna")
    await switch_on(farm)
    await farm.client.patch(f"{ACCESSES}/{number}", json={"totp": False}, headers=farm.auth)
    assert (await log_in(farm, "anna")).status_code == 303
    await log_in(farm, password=PASSWORD)
    await switch_on(farm)
    assert (await log_in(farm, password=PASSWORD)).status_code == 422
    async with open_database(farm.settings.database_url) as database:
        await AccountActions(database).set_password(PASSWORD, forget_second_factor=True)
    assert (await log_in(farm, password=PASSWORD)).status_code == 303


@on_sqlite
async def test_no_secret_of_an_access_is_at_rest_in_clear(farm: Farm) -> None:
    await add(farm, "anna")
    await log_in(farm, "anna")
    secret, codes = await switch_on(farm)
    kept = await everything(farm)
    for text in (LONG, secret, *codes, *(each.replace("-", "") for each in codes)):
        assert text.encode() not in kept


async def everything(farm: Farm) -> bytes:
    async with open_database(farm.settings.database_url) as database, database.reading() as db:
        rows = [row for table in metadata.sorted_tables for row in await db.execute(sa.select(table))]
    return b"".join(value if isinstance(value, bytes) else str(value).encode() for row in rows for value in row)


@on_sqlite
async def test_a_form_that_moves_money_comes_back_with_all_its_fields_and_asks_for_the_password(farm: Farm) -> None:
    await farm.log_in()
    await make_stale(farm)
    asked = await post_form(farm.client, "/templates", **POOL)
    assert asked.status_code == 403
    assert "Confirm that it is you" in asked.text
    fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', asked.text))
    assert fields == POOL, "nothing that was typed is lost"
    assert (await farm.get("/api/v1/addresses")).json() == []
    wrong = await post_form(farm.client, "/templates", **fields, confirm_password="wrong")
    assert wrong.status_code == 422
    assert 'id="error-confirm_password"' in wrong.text
    assert dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', wrong.text)) == POOL
    done = await post_form(farm.client, "/templates", **fields, confirm_password=PASSWORD)
    assert done.status_code == 303
    assert [each["name"] for each in (await farm.get("/api/v1/addresses")).json()] == ["Pool"]
    again = await post_form(farm.client, "/templates", **POOL | {"name": "Other", "address": "other.example:1"})
    assert again.status_code == 303, "for 10 minutes it is not asked again"


@on_sqlite
async def test_a_code_confirms_too(farm: Farm) -> None:
    await farm.log_in()
    _, codes = await switch_on(farm)
    await make_stale(farm)
    done = await post_form(farm.client, "/templates", **POOL, confirm_password="", confirm_code=codes[3])
    assert done.status_code == 303


@on_sqlite
async def test_five_wrong_passwords_end_the_session(farm: Farm) -> None:
    await farm.log_in()
    await make_stale(farm)
    answers = [await post_form(farm.client, "/templates", **POOL, confirm_password="guess") for _ in range(5)]
    assert [each.status_code for each in answers] == [422, 422, 422, 422, 303]
    assert (await farm.client.get("/settings", follow_redirects=False)).headers["location"].startswith("/login")


@on_sqlite
async def test_a_session_confirms_by_the_api_and_a_key_need_not(farm: Farm) -> None:
    await farm.log_in()
    await make_stale(farm)
    refused = await farm.client.post("/api/v1/addresses", json=POOL)
    assert (refused.status_code, refused.json()["code"]) == (403, "confirmation_needed")
    assert (await farm.client.post("/api/v1/confirmation", json={"password": "wrong"})).status_code == 422
    assert (await farm.client.post("/api/v1/confirmation", json={"password": PASSWORD})).status_code == 204
    assert (await farm.client.post("/api/v1/addresses", json=POOL)).status_code == 201
    await make_stale(farm)
    farm.client.cookies.clear()
    other = POOL | {"name": "Other", "address": "other.example:1"}
    assert (await farm.client.post("/api/v1/addresses", json=other, headers=farm.auth)).status_code == 201


@on_sqlite
@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/alerts/channels", {"name": "hook", "kind": "webhook", "url": "http://hook.invalid/"}),
        ("/access", {"name": "bert", "role": "own"}),
        ("/settings/api-keys", {"name": "stolen"}),
        ("/access/second-factor/off", {}),
    ],
)
async def test_channels_accesses_and_keys_need_it_too(farm: Farm, path: str, fields: dict[str, str]) -> None:
    await farm.log_in()
    await make_stale(farm)
    assert "Confirm that it is you" in (await post_form(farm.client, path, **fields)).text
    assert (await post_form(farm.client, f"/cpu-gpu/{(await farm.add()).id}/tags", tags="a")).status_code == 303


@on_sqlite
async def test_a_copy_to_more_than_ten_rigs_needs_it_and_one_to_ten_does_not(farm: Farm) -> None:
    playbooks, first = Playbooks(farm), await farm.add("rig-00")
    playbook = await playbooks.add(first, await playbooks.spec())
    others = [(await farm.add(f"rig-{number:02}")).id for number in range(1, 12)]
    await farm.log_in()
    await make_stale(farm)
    path = f"/api/v1/playbooks/{playbook['id']}/copy"
    refused = await farm.client.post(path, json={"rig_ids": others})
    assert (refused.status_code, refused.json()["code"]) == (403, "confirmation_needed")
    page = f"/cpu-gpu/{first.id}/playbooks/{playbook['id']}/copies"
    fields = {"rig": [str(each) for each in others], "apply": "yes"}
    asked = await farm.client.post(page, data=fields)
    assert asked.status_code == 403
    assert re.findall(r'name="rig" value="(\d+)"', asked.text) == fields["rig"], "nothing that was ticked is lost"
    assert (await farm.client.post(path, json={"rig_ids": others[:10]})).status_code == 200
    done = await farm.client.post(page, data={**fields, "confirm_password": PASSWORD})
    assert done.status_code == 200
    assert "Confirm that it is you" not in done.text


@on_sqlite
async def test_the_page_adds_edits_and_removes_an_access(farm: Farm) -> None:
    await farm.log_in()
    made = await post_form(farm.client, "/access", name="anna", role="operate", password="")
    password = re.search(r'id="made-password"[^>]*>([^<]+)<', made.text)
    assert password
    assert (await log_in(farm, "anna", password[1])).status_code == 303
    await log_in(farm, password=PASSWORD)
    assert "Edit “anna”" in (await farm.client.get("/access?dialog=edit&access=2")).text
    await post_form(farm.client, "/access/2", name="Anna B", role="view", password="")
    row = (await farm.client.get("/access")).text.split('id="access-2"')[1].split("</tr>")[0]
    assert "Anna B" in row
    assert "View" in row
    wrong = await post_form(farm.client, "/access/2", name="owner", role="view", password="short")
    assert wrong.status_code == 422
    assert 'aria-invalid="true"' in wrong.text
    await post_form(farm.client, "/access/2/remove")
    assert "Anna B" not in (await farm.client.get("/access")).text


@on_sqlite
async def test_the_page_leads_an_owner_to_the_api_keys(farm: Farm) -> None:
    await farm.log_in()
    html = (await farm.client.get("/access")).text
    assert '<a href="/settings#keys-title">Settings</a>' in html
    assert "It is revoked" not in html
    assert 'id="keys-title"' in (await farm.client.get("/settings")).text
    await add(farm, "anna")
    await log_in(farm, "anna")
    assert "#keys-title" not in (await farm.client.get("/access")).text


@pytest.mark.parametrize("name", ["", "owner", "Command Line", "API key grafana", "<b>", "x" * 65])
def test_a_name_that_the_audit_log_uses_is_no_name(name: str) -> None:
    with pytest.raises(BadKeyName):
        checked_access_name(name)


def test_a_code_of_the_neighbouring_half_minutes_fits() -> None:
    secret, now = pyotp.random_base32(), datetime(2026, 11, 29, 12, 0, 10, tzinfo=UTC)
    code = pyotp.TOTP(secret).at(now)
    step = matching_step(secret, code, now=now)
    for seconds, fits in ((-30, True), (30, True), (-61, False), (61, False)):
        assert (matching_step(secret, code, now=now + timedelta(seconds=seconds)) == step) is fits
    for wrong in ("", "12345", "1234567", "abcdef", "١٢٣٤٥٦"):
        assert matching_step(secret, wrong, now=now) is None


async def test_a_session_of_before_the_migration_is_the_owner_s(database: Database) -> None:
    async with database.transaction() as db:
        await db.execute(
            sa.text(
                "INSERT INTO sessions (cookie_hash, created_at, last_seen_at, address, user_agent) "
                "VALUES (:hash, :now, :now, '', '')"
            ),
            {"hash": b"x" * 32, "now": int(datetime.now(UTC).timestamp() * 1e6)},
        )
    (session,) = await AccountActions(database).sessions()
    assert (session.access_name, session.role, session.confirmed_at) == ("owner", Role.OWN, None)
