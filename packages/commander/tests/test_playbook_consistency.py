"""Playbook fields that are valid alone but not together: over the API, on the form and when copying."""

import re
from typing import Any

import httpx
import pytest
from commander_farm import RIGS, Farm
from playbook_farm import ADDRESSES, PLAYBOOKS, SCRIPT, Json, Playbooks, another

ERGO = "9fRAWhdxEsTcdb8PhGNrZfwqa65zfkuYHAMmkQLcic1gdLSV5vA"
DUAL = SCRIPT.replace("-p ", "--pool2 {pool2_hostport} --wallet2 {wallet2} -p ")
NOTE = "For a second coin add: --pool2 {pool2_hostport} --wallet2 {wallet2}."


async def address(playbooks: Playbooks, kind: str, coin: str | None, text: str) -> int:
    body = {"type": kind, "name": f"{coin} {kind}", "coin": coin, "address": text}
    return int((await playbooks.post(ADDRESSES, body))["id"])


async def refused(playbooks: Playbooks, path: str, body: Json) -> dict[str, str]:
    """Returns the errors by field."""
    answer: Any = await playbooks.post(path, body, status=422)
    assert answer["code"] == "bad_playbook"
    return {each["field"]: each["message"] for each in answer["errors"]}


async def test_a_wallet_of_another_coin_is_refused_beside_its_field(farm: Farm, playbooks: Playbooks) -> None:
    path = f"{RIGS}/{(await farm.add()).id}/playbooks"
    spec = await playbooks.spec()
    work, ergo = spec["works"][0], await address(playbooks, "wallet", "Ergo", ERGO)
    wrong = await refused(playbooks, path, spec | {"works": [work | {"coin": "Ergo"}]})
    assert wrong.keys() == {"works.0.pool_id", "works.0.wallet_id"}
    assert wrong["works.0.wallet_id"].startswith("This wallet is for Monero, and the coin is Ergo; choose a wallet for")
    wrong = await refused(playbooks, path, spec | {"works": [work | {"wallet_id": ergo}]})
    assert wrong["works.0.wallet_id"].startswith("This wallet is for Ergo, and the pool is for Monero;")
    assert await refused(playbooks, f"{path}/preview", spec | {"works": [work | {"wallet_id": ergo}]}) == wrong
    await playbooks.post(path, spec | {"works": [work | {"coin": "xmr"}]})


async def test_a_pool_of_several_coins_may_pay_another_one(farm: Farm, playbooks: Playbooks) -> None:
    spec, several = await playbooks.spec(), await address(playbooks, "pool", None, "several.example:3333")
    work = spec["works"][0] | {"pool_id": several}
    rig = await farm.add()
    await playbooks.add(rig, spec | {"works": [work]})
    assert (await playbooks.wire(rig)).json()["playbooks"][0]["works"][0]["coin"] == "Monero"


@pytest.mark.parametrize(
    ("script", "field", "words"),
    [
        (SCRIPT, "works.1.algorithm", "only the first would be mined"),
        (SCRIPT.replace("-p ", "--tls2 {pool2_tls} -a2 {algorithm2} -p "), "works.1.algorithm", "does not use"),
        (SCRIPT.replace("-p ", "--wallet2 {wallet2} -p "), "works.1.pool_id", "{pool2_hostport}"),
        (SCRIPT.replace("-p ", "--pool2 {pool2_url} -p "), "works.1.wallet_id", "{wallet2}"),
    ],
)
async def test_a_second_coin_that_the_script_does_not_name_is_refused(
    farm: Farm, playbooks: Playbooks, script: str, field: str, words: str
) -> None:
    path, spec = f"{RIGS}/{(await farm.add()).id}/playbooks", await playbooks.spec()
    second = spec["works"][0] | {"algorithm": "kheavyhash"}
    both = spec | {
        "software_id": await playbooks.software(name="Dual", algorithms=2),
        "works": [spec["works"][0], second],
    }
    wrong = await refused(playbooks, path, both | {"script": script})
    assert wrong.keys() == {field}
    assert words in wrong[field]
    assert len((await playbooks.post(path, both | {"script": DUAL}))["works"]) == 2


async def test_the_form_says_how_to_add_the_second_coin(farm: Farm, playbooks: Playbooks) -> None:
    await farm.log_in()
    spec, rig = await playbooks.spec(), await farm.add()
    dual = await playbooks.software(name="Dual", algorithms=2, note=NOTE)
    work = {"algorithm": "rx/0", "pool": spec["works"][0]["pool_id"], "wallet": spec["works"][0]["wallet_id"]}
    fields = {"software": dual, "script": SCRIPT, "password": "x", "password2": "x", "do": "save", **work}
    second = {f"{name}2": value for name, value in work.items()}
    html = (await form(farm, rig.id, fields | second)).text
    beside = re.search(r'id="error-algorithm2">([^<]*)<', html)
    assert beside is not None
    assert "only the first would be mined" in beside[1]
    assert f'<p class="small">{NOTE}</p>' in html.partition("A second coin at once")[2]


async def form(farm: Farm, rig_id: int, fields: Json) -> httpx.Response:
    answer = await farm.client.post(f"/cpu-gpu/{rig_id}/playbooks", data=fields, follow_redirects=False)
    assert answer.status_code == 422
    return answer


async def test_a_rig_takes_no_two_playbooks_that_are_the_same(farm: Farm, playbooks: Playbooks) -> None:
    rig, spec = await farm.add("rig-07"), await playbooks.spec()
    path = f"{RIGS}/{rig.id}/playbooks"
    await playbooks.add(rig, spec, name="First")
    wrong = await refused(playbooks, path, spec | {"name": "Second", "paused": True})
    assert wrong == {
        "script": "The rig has this already: its playbook First has the same software and the same script. Change one "
        "of them."
    }
    other = await playbooks.add(rig, spec, name="Second", script=another("second"))
    same = await playbooks.put(f"{PLAYBOOKS}/{other['id']}", spec | {"name": "Second"}, status=422)
    assert same["errors"][0]["field"] == "script"
    await playbooks.put(f"{PLAYBOOKS}/{other['id']}", spec | {"name": "Third", "script": another("second")})
    await playbooks.add(await farm.add("rig-08"), spec)


async def test_a_copy_to_a_rig_that_has_it_says_so(farm: Farm, playbooks: Playbooks) -> None:
    first, second = await farm.add("rig-07"), await farm.add("rig-08")
    script = "#!/bin/sh\nexec ./{executable} -o {pool} -u {wallet} --http-port={api_port}\n"
    added = await playbooks.add(first, None, script=script)
    path = f"{PLAYBOOKS}/{added['id']}/copy"
    copies = await playbooks.post(path, {"rig_ids": [second.id]}, status=200)
    assert copies[0]["playbook_id"] is not None
    copies = await playbooks.post(path, {"rig_ids": [second.id, first.id]}, status=200)
    assert [(each["playbook_id"], each["reason"][:25]) for each in copies] == [(None, "The rig has this already:")] * 2
