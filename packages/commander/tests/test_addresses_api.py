"""Addresses over the API, and what becomes of playbooks that use them."""

import pytest
from commander_farm import RIGS, Farm
from playbook_farm import ADDRESSES, MONERO, OTHER_MONERO, PLAYBOOKS, Playbooks


async def test_an_address_is_added_listed_changed_and_removed(playbooks: Playbooks) -> None:
    assert await playbooks.get(ADDRESSES) == []
    wallet = await playbooks.wallet()
    pool = await playbooks.pool()
    known = await playbooks.get(ADDRESSES)
    assert [(each["type"], each["coin"], each["used_by"]) for each in known] == [
        ("pool", "Monero", []),
        ("wallet", "Monero", []),
    ]
    body = {"type": "pool", "name": "Other", "address": "stratum+ssl://pool.example:443"}
    changed = await playbooks.put(f"{ADDRESSES}/{pool}", body)
    assert (changed["name"], changed["coin"], changed["address"]) == ("Other", None, "stratum+ssl://pool.example:443")
    for each in (wallet, pool):
        assert (await playbooks.delete(f"{ADDRESSES}/{each}")).status_code == 204
        assert (await playbooks.delete(f"{ADDRESSES}/{each}")).json()["code"] == "address_not_found"
    assert await playbooks.get(ADDRESSES) == []


async def test_a_name_is_taken_per_type_however_it_is_written(playbooks: Playbooks) -> None:
    await playbooks.pool("Main")
    await playbooks.wallet("MAIN")
    body = {"type": "pool", "name": "main", "address": "x.example:1"}
    assert (await playbooks.post(ADDRESSES, body, status=409))["code"] == "name_taken"
    other = await playbooks.pool("Other")
    assert (await playbooks.put(f"{ADDRESSES}/{other}", body, status=409))["errors"][0]["field"] == "name"


@pytest.mark.parametrize(
    ("field", "value"),
    [("address", MONERO[:-1]), ("address", "; rm -rf /"), ("name", ""), ("coin", "<b>"), ("type", "bank")],
)
async def test_a_mistake_stands_beside_its_field(playbooks: Playbooks, field: str, value: str) -> None:
    body = {"type": "wallet", "name": "Mine", "coin": "Monero", "address": MONERO, field: value}
    answer = await playbooks.post(ADDRESSES, body, status=422)
    assert answer["errors"][0]["field"] == field


async def test_what_is_in_use_is_not_removed_and_says_by_whom(farm: Farm, playbooks: Playbooks) -> None:
    playbook = await playbooks.add(await farm.add("rig-07"), name="Main")
    pool = playbook["works"][0]["pool_id"]
    refused = await playbooks.delete(f"{ADDRESSES}/{pool}")
    assert (refused.status_code, refused.json()["code"]) == (409, "in_use")
    assert "Main on rig-07" in refused.json()["detail"]
    assert refused.json()["errors"] == [{"field": f"playbooks.{playbook['id']}", "message": "Main on rig-07"}]
    used_by = (await playbooks.get(ADDRESSES))[0]["used_by"]
    assert (used_by[0]["playbook_id"], used_by[0]["rig"]) == (playbook["id"], "rig-07")
    await playbooks.delete(f"{PLAYBOOKS}/{playbook['id']}")
    assert (await playbooks.delete(f"{ADDRESSES}/{pool}")).status_code == 204


async def test_a_change_reaches_every_playbook_that_uses_it(farm: Farm, playbooks: Playbooks) -> None:
    first, second = await farm.add("rig-01"), await farm.add("rig-02")
    spec = await playbooks.spec()
    mine, copied = await playbooks.add(first, spec), await playbooks.add(second, spec)
    before = [await playbooks.wire(rig) for rig in (first, second)]
    body = {"type": "wallet", "name": "Cold wallet", "coin": "Monero", "address": OTHER_MONERO}
    changed = await playbooks.put(f"{ADDRESSES}/{spec['works'][0]['wallet_id']}", body)
    assert [use["rig"] for use in changed["used_by"]] == ["rig-01", "rig-02"]
    for rig, was, playbook in zip((first, second), before, (mine, copied), strict=True):
        now = await playbooks.wire(rig)
        assert now.headers["ETag"] != was.headers["ETag"]
        told = now.json()["playbooks"][0]
        assert OTHER_MONERO in told["script"]
        assert (told["revision"], told["works"][0]["user"]) == (2, OTHER_MONERO)
        revisions = await playbooks.get(f"{PLAYBOOKS}/{playbook['id']}/revisions")
        assert revisions[0]["what"] == "The wallet Cold wallet was edited"
        assert revisions[0]["author"] == "API key tests"


async def test_a_new_name_alone_changes_no_playbook(farm: Farm, playbooks: Playbooks) -> None:
    rig = await farm.add()
    playbook = await playbooks.add(rig)
    before = (await playbooks.wire(rig)).headers["ETag"]
    body = {"type": "pool", "name": "Renamed", "coin": "Monero", "address": "pool.example:3333"}
    await playbooks.put(f"{ADDRESSES}/{playbook['works'][0]['pool_id']}", body)
    assert (await playbooks.wire(rig)).headers["ETag"] == before


async def test_a_pool_in_use_can_t_become_a_wallet(farm: Farm, playbooks: Playbooks) -> None:
    playbook = await playbooks.add(await farm.add())
    body = {"type": "wallet", "name": "Odd", "coin": "Monero", "address": MONERO}
    answer = await playbooks.put(f"{ADDRESSES}/{playbook['works'][0]['pool_id']}", body, status=409)
    assert answer["code"] == "in_use"


async def test_a_change_that_a_playbook_can_t_take_is_refused_whole(farm: Farm, playbooks: Playbooks) -> None:
    rig, spec = await farm.add("rig-07"), await playbooks.spec()
    script = '#!/bin/sh\n./{executable} "{pool}" {api_port}\n'
    await playbooks.add(rig, spec, script=script, name="Main")
    pool = spec["works"][0]["pool_id"]
    body = {"type": "pool", "name": "Six", "coin": "Monero", "address": "[2001:db8::1]:3333"}
    answer = await playbooks.put(f"{ADDRESSES}/{pool}", body, status=422)
    assert answer["errors"][0]["field"] == "address"
    assert "Main on rig-07 can't take this" in answer["detail"]
    assert (await playbooks.get(ADDRESSES))[0]["address"] == "pool.example:3333"
    assert (await playbooks.get(f"{RIGS}/{rig.id}/playbooks"))[0]["revision"] == 1


async def test_without_a_key_nobody_comes_in(farm: Farm) -> None:
    for path in (ADDRESSES, "/api/v1/mining-software", f"{PLAYBOOKS}/1", f"{RIGS}/1/playbooks", f"{RIGS}/1/output"):
        assert (await farm.client.get(path)).json()["code"] == "not_signed_in"
