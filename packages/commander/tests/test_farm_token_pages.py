"""The pages of farm tokens and of the rigs that wait for approval, without a script."""

import re

import httpx
import pytest
from commander_farm import RIGS, Farm, a_log
from enrolling import FARM_TOKENS, Machine, code_of, farm_token, token_text
from pages import error_beside, page, post

PATH = "/cpu-gpu/farm-tokens"
FIELDS = {"name": "hall 2", "uses": "40", "hours": "12", "name_pattern": "gpu-{n:03}", "tags": "hall:2, rack:B"}


async def test_the_dialog_makes_a_farm_token_that_is_shown_once(person: httpx.AsyncClient, farm: Farm) -> None:
    assert 'href="/cpu-gpu?dialog=add-many"' in await page(person, "/cpu-gpu?dialog=add")
    assert 'action="/cpu-gpu/farm-tokens"' in await page(person, "/cpu-gpu?dialog=add-many")
    made = await post(person, PATH, approve_by_hand="yes", **FIELDS)
    assert made.status_code == 200
    token = re.search(r'id="farm-token"[^>]*>(mw_farm_[0-9a-f]{64})<', made.text)
    assert token
    assert re.search(r">cpu-gpu-sentry enroll --url \S+<", made.text), "the command asks for the token"
    assert f"/install/cpu-gpu.sh | sudo sh -s -- {token[1]}" in made.text
    (listed,) = (await farm.get(FARM_TOKENS)).json()["farm_tokens"]
    facts = {"name": "hall 2", "uses": 40, "tags": ["hall:2", "rack:B"], "approve_by_hand": True}
    assert listed.items() >= facts.items()
    shown = await page(person, PATH)
    assert "40 of 40 uses left" in shown
    assert token[1] not in shown
    assert "hall 2: 40 of 40 uses left" in await page(person, "/cpu-gpu?dialog=add-many")
    await Machine(farm).enrol(token[1])
    assert "39 of 40 uses left" in await page(person, PATH)


@pytest.mark.parametrize(
    ("field", "text"),
    [("uses", "many"), ("uses", "0"), ("hours", "9999"), ("name_pattern", "{x}"), ("tags", "<b>"), ("name", "<b>")],
)
async def test_a_mistake_stands_beside_its_field(person: httpx.AsyncClient, field: str, text: str) -> None:
    answer = await post(person, PATH, **{**FIELDS, field: text})
    assert answer.status_code == 422
    assert error_beside(answer.text, field)
    assert 'name="uses" value="' in answer.text


async def test_a_farm_token_is_revoked(person: httpx.AsyncClient, farm: Farm) -> None:
    made = await farm_token(farm, name="hall 2")
    await farm.log_in()
    assert "Revoke “hall 2”?" in await page(person, f"{PATH}?revoke={made['id']}")
    for _ in range(2):
        assert (await post(person, f"{PATH}/{made['id']}/revoke")).headers["location"] == PATH
    assert "Revoked" in await page(person, PATH)
    assert code_of(await Machine(farm).ask(str(made["token"]))) == (403, "farm_token_revoked")


async def test_the_index_page_names_the_rigs_that_wait_and_approves_them(person: httpx.AsyncClient, farm: Farm) -> None:
    assert "wait for approval" not in await page(person, "/cpu-gpu")
    token = await token_text(farm)
    first, second, third = [await Machine(farm, f"rig-{number}").enrol(token) for number in (1, 2, 3)]
    await farm.report(first, a_log())
    html = await page(person, "/cpu-gpu")
    assert "3 rigs wait for approval" in html
    assert html.count("Waits for approval</span>") == 3
    assert f'href="/cpu-gpu?dialog=remove&amp;rig={third.id}"' in html
    shown = await page(person, f"/cpu-gpu/{first.id}")
    assert "This rig waits for approval" in shown
    one = await post(person, "/cpu-gpu/approve", rigs=str(first.id), back=str(first.id))
    assert one.headers["location"] == f"/cpu-gpu/{first.id}"
    assert "waits for approval" not in await page(person, f"/cpu-gpu/{first.id}")
    html = await page(person, "/cpu-gpu")
    ids = re.search(r'name="rigs" value="([^"]+)"><button class="primary">Approve all 2 rigs', html)
    assert ids
    assert ids[1] == f"{second.id}-{third.id}"
    late = await Machine(farm, "rig-4").enrol(token)
    assert (await post(person, "/cpu-gpu/approve", rigs=ids[1])).headers["location"] == "/cpu-gpu"
    waiting = {each["id"] for each in (await farm.get(RIGS)).json() if not each["approved"]}
    assert waiting == {late.id}, "only rigs that the page has shown"
    assert "1 rig waits for approval" in await page(person, "/cpu-gpu")


async def test_a_name_can_do_no_harm(person: httpx.AsyncClient, farm: Farm) -> None:
    rig = await Machine(farm, "<script>alert(1)</script>").enrol(await token_text(farm))
    assert "<" not in rig.name
    await page(person, "/cpu-gpu")
