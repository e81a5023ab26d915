"""Site tokens, and what a site's sentry registers with one."""

import asyncio

import pytest
from commander.rigs.adoption_actions import BadAdoption, TakenNames, plan
from commander.rigs.adoption_store import Registered
from commander.settings import Settings
from commander_farm import ASICS, Farm, an_asic_log, on_sqlite, post_form, running
from msgspec.structs import replace
from protocol.asic_messages import AdoptedAsic
from protocol.tokens import Token, TokenKind, new_token, parse_token

ADOPT = "/api/v1/sentry/asic-rigs"
SITES = "/api/v1/site-tokens"
Rigs = list[dict[str, str]]


def found(count: int, *, model: str = "KS5L") -> Rigs:
    return [{"name": f"{model}-10.0.0.{number}", "key": f"02:00:5E:00:00:{number:02X}"} for number in range(count)]


async def adopt(farm: Farm, site: dict[str, str], rigs: Rigs) -> Rigs:
    answer = await farm.client.post(ADOPT, json={"rigs": rigs}, headers=site)
    assert answer.status_code == 201, answer.text
    return list(answer.json()["rigs"])


async def test_a_site_token_is_shown_once_with_the_command_to_type(farm: Farm) -> None:
    answer = await farm.client.post(SITES, json={"name": "hall 1"}, headers=farm.auth)
    made = answer.json()
    assert (answer.status_code, parse_token(made["token"]).kind) == (201, TokenKind.SITE)
    assert made["connect_command"] == (
        f"asic-sentry connect --url {made['commander_url']} --site-token {made['token']}"
    )
    listed = await farm.get(SITES)
    assert made["token"] not in listed.text
    assert [(site["name"], site["last_used_at"]) for site in listed.json()] == [("hall 1", None)]
    again = await farm.client.post(SITES, json={"name": "hall 1"}, headers=farm.auth)
    assert (again.status_code, again.json()["code"]) == (409, "name_taken")
    assert (await farm.client.post(SITES, json={"name": "<"}, headers=farm.auth)).json()["errors"][0]["field"] == "name"


async def test_a_revoked_site_token_registers_nothing_and_its_asics_stay(farm: Farm) -> None:
    site = await farm.site_token()
    await adopt(farm, site, found(1))
    (listed,) = (await farm.get(SITES)).json()
    assert listed["last_used_at"] is not None
    for status, code in ((204, ""), (404, "no_such_key")):
        answer = await farm.client.delete(f"{SITES}/{listed['id']}", headers=farm.auth)
        assert (answer.status_code, answer.json()["code"] if answer.content else "") == (status, code)
    refused = await farm.client.post(ADOPT, json={"rigs": found(2)}, headers=site)
    assert (refused.status_code, refused.json()["code"]) == (401, "invalid_token")
    assert len((await farm.get(ASICS)).json()) == 1


async def test_an_asic_without_a_key_is_known_by_its_name(farm: Farm) -> None:
    site = await farm.site_token()
    named = [{"name": "hall-2 left"}, {"name": "hall-2 right"}]
    first = await adopt(farm, site, named)
    assert [each["name"] for each in first] == [each["name"] for each in named]
    again = await adopt(farm, site, named[1:])
    assert again[0]["name"] == "hall-2 right"
    assert again[0]["token"] != first[1]["token"]
    assert len((await farm.get(ASICS)).json()) == 2
    assert (await farm.client.post(ADOPT, json={"rigs": [{"name": " "}]}, headers=site)).status_code == 422


@on_sqlite
async def test_a_site_token_registers_a_bounded_number_of_asics(settings: Settings) -> None:
    async with running(replace(settings, site_rigs=3)) as client:
        farm = Farm(client, settings)
        await farm.make_key()
        site = await farm.site_token()
        await adopt(farm, site, found(3))
        refused = await client.post(ADOPT, json={"rigs": found(4)}, headers=site)
        assert (refused.status_code, refused.json()["code"]) == (409, "site_full")
        assert "COMMANDER_SITE_RIGS" in refused.json()["detail"]
        assert len(await adopt(farm, site, found(3))) == 3, "known ones get new tokens"
        await adopt(farm, await farm.site_token("hall 2"), found(2))


async def test_all_asics_of_a_site_are_removed_at_once_also_after_its_token(farm: Farm) -> None:
    await farm.add_asic("by hand")
    site = await farm.site_token()
    rigs = await adopt(farm, site, found(120))
    await adopt(farm, await farm.site_token("hall 2"), found(2))
    await farm.report_asics(*({"token": rig["token"], "logs": [an_asic_log()]} for rig in rigs[:2]))
    first, _ = sorted((await farm.get(SITES)).json(), key=lambda each: str(each["name"]))
    await farm.client.delete(f"{SITES}/{first['id']}", headers=farm.auth)
    answer = await farm.client.delete(f"{SITES}/{first['id']}/rigs", headers=farm.auth)
    assert (answer.status_code, answer.json()) == (200, {"removed": 120})
    assert len((await farm.get(ASICS)).json()) == 3
    (gone,) = (await farm.report_asics({"token": rigs[0]["token"], "logs": [an_asic_log()]})).json()["results"]
    assert gone["error"] == "rig_removed"
    again = await farm.client.delete(f"{SITES}/{first['id']}/rigs", headers=farm.auth)
    assert again.json() == {"removed": 0}


async def test_the_settings_page_counts_a_site_s_asics_and_removes_them(farm: Farm) -> None:
    await adopt(farm, await farm.site_token(), found(2))
    await farm.log_in()
    page = (await farm.client.get("/settings")).text
    assert '<td data-label="ASICs" class="n">2</td>' in page
    dialog = (await farm.client.get("/settings?dialog=remove-asics&site=1")).text
    assert "Remove 2 ASICs" in dialog
    done = await post_form(farm.client, "/settings/site-tokens/1/remove-asics")
    assert done.status_code == 303
    assert (await farm.get(ASICS)).json() == []


async def test_adopted_asics_report_with_their_own_tokens(farm: Farm) -> None:
    rigs = await adopt(farm, await farm.site_token(), found(3))
    assert [rig["name"] for rig in rigs] == ["KS5L-10.0.0.0", "KS5L-10.0.0.1", "KS5L-10.0.0.2"]
    answer = await farm.report_asics(*({"token": rig["token"], "logs": [an_asic_log()]} for rig in rigs))
    assert [each["stored"] for each in answer.json()["results"]] == [1, 1, 1]
    assert {each["health"] for each in (await farm.get(ASICS)).json()} == {"online"}


async def test_adopted_again_it_is_the_same_rig_with_a_fresh_token(farm: Farm) -> None:
    site = await farm.site_token()
    before = await adopt(farm, site, found(2))
    await farm.report_asics({"token": before[0]["token"], "logs": [an_asic_log(5)]})
    (first, second) = (await farm.get(ASICS)).json()
    await farm.client.patch(f"{ASICS}/{second['id']}", json={"name": "by the door"}, headers=farm.auth)
    after = await adopt(farm, site, found(3, model="renamed"))
    assert [rig["name"] for rig in after] == ["KS5L-10.0.0.0", "by the door", "renamed-10.0.0.2"]
    old, new = [
        await farm.report_asics({"token": rigs[0]["token"], "logs": [an_asic_log()]}) for rigs in (before, after)
    ]
    assert (old.json()["results"][0]["error"], new.json()["results"][0]["stored"]) == ("invalid_token", 1)
    assert len((await farm.get(f"{ASICS}/{first['id']}/logs")).json()["logs"]) == 2, "it keeps its record"
    assert len((await farm.get(ASICS)).json()) == 3


async def test_another_site_with_the_same_address_has_another_asic(farm: Farm) -> None:
    for name in ("hall 1", "hall 2"):
        await adopt(farm, await farm.site_token(name), [{"name": "s19", "key": "192.168.1.50"}])
    assert [each["name"] for each in (await farm.get(ASICS)).json()] == ["s19", "s19-2"]


async def test_a_removed_asic_may_be_adopted_as_a_new_one(farm: Farm) -> None:
    site = await farm.site_token()
    await adopt(farm, site, found(1))
    (first,) = (await farm.get(ASICS)).json()
    await farm.client.delete(f"{ASICS}/{first['id']}", headers=farm.auth)
    await adopt(farm, site, found(1))
    (second,) = (await farm.get(ASICS)).json()
    assert (second["name"], second["id"] > first["id"]) == (first["name"], True)


async def test_one_bad_name_and_nothing_is_adopted(farm: Farm) -> None:
    site, rigs = await farm.site_token(), found(3)
    for hurt, field in (({"name": "<script>"}, "rigs[1].name"), ({"key": " "}, "rigs[1].key")):
        answer = await farm.client.post(ADOPT, json={"rigs": [rigs[0], rigs[1] | hurt, rigs[2]]}, headers=site)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field)
    many = await farm.client.post(ADOPT, json={"rigs": found(1) * 1001}, headers=site)
    assert (many.status_code, many.json()["errors"][0]["field"]) == (422, "rigs")
    assert (await farm.get(ASICS)).json() == []


async def test_two_sentries_that_adopt_at_once_get_distinct_names(farm: Farm) -> None:
    sites = [await farm.site_token(f"hall {number}") for number in range(3)]
    async with asyncio.TaskGroup() as group:
        adopting = [group.create_task(adopt(farm, site, found(20))) for site in sites]
    names = [rig["name"] for task in adopting for rig in task.result()]
    assert len(names) == len(set(names)) == 60


def make_token() -> Token:
    return new_token(TokenKind.ASIC, pin=None)


def test_the_same_key_twice_in_one_adoption_is_one_rig() -> None:
    asked = [AdoptedAsic(name="a", key="k"), AdoptedAsic(name="b", key=" k ")]
    made = plan(asked, {}, [], make_token=make_token)
    assert ([each.name for each in made.new], list(made.tokens)) == (["a"], ["k"])
    again = plan(asked, {"k": Registered(7, "a", b"old")}, ["a"], make_token=make_token)
    assert (again.new, list(again.replaced), again.dead) == ([], [7], [b"old"])


def test_names_are_made_distinct_by_a_number_behind() -> None:
    names = TakenNames(["s19", "s19-3", "x" * 64])
    assert [names.distinct(name) for name in ("S19", "s19", "s20", "s19", "s20")] == [
        "S19-2",
        "s19-4",
        "s20",
        "s19-5",
        "s20-2",
    ]
    assert [names.distinct("x" * 64) for _ in range(10)][-1] == "x" * 61 + "-11"


def test_a_bad_adoption_says_which_it_is() -> None:
    with pytest.raises(BadAdoption) as caught:
        plan([AdoptedAsic(name="ok", key="1"), AdoptedAsic(name="", key="2")], {}, [], make_token=make_token)
    assert caught.value.field == "rigs[1].name"
