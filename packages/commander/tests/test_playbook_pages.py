"""Playbooks as a browser without script gets them: the form, the list, revisions and copies."""

import re
from datetime import UTC, datetime

import httpx
import pytest
from commander.accounts.domain import ApiKey, author_of
from commander_farm import Farm
from pages import error_beside, page, post
from playbook_farm import MONERO, SCRIPT, Json, Playbooks, another


@pytest.fixture
async def chosen(playbooks: Playbooks) -> Json:
    """Returns the fields that a person fills in for a new playbook."""
    spec = await playbooks.spec()
    work = spec["works"][0]
    return {
        "software": spec["software_id"],
        "script": SCRIPT.replace("\n", "\r\n"),
        "algorithm": "rx/0",
        "pool": work["pool_id"],
        "wallet": work["wallet_id"],
        "password": "x",
        "do": "save",
    }


async def test_software_comes_first_then_its_script(person: httpx.AsyncClient, farm: Farm, chosen: Json) -> None:
    rig = await farm.add("rig-07")
    path = f"/cpu-gpu/{rig.id}/playbooks"
    assert "No playbooks yet" in await page(person, path)
    choice = await page(person, f"{path}/new")
    assert f'href="{path}/new?software={chosen["software"]}"' in choice
    assert "Without a download for Linux" in choice
    form = await page(person, f"{path}/new?software={chosen['software']}")
    assert "exec ./{executable} -o {pool} -u {wallet}.{worker}" in form
    assert "HeroMiners – pool.example:3333 (Monero)" in form
    added = await post(person, path, **chosen)
    assert added.status_code == 303
    shown = await page(person, added.headers["location"])
    assert f"exec ./miner-1.0/miner -o pool.example:3333 -u {MONERO}.rig-07 -p x --http-port={{api_port}}" in shown
    assert "Not yet on the rig" in shown


async def test_a_preview_shows_the_final_script_and_saves_nothing(
    person: httpx.AsyncClient, farm: Farm, playbooks: Playbooks, chosen: Json
) -> None:
    rig = await farm.add("rig-07")
    answer = await post(person, f"/cpu-gpu/{rig.id}/playbooks", **chosen | {"do": "preview"})
    assert f"-u {MONERO}.rig-07 -p x" in answer.text
    assert "Nothing is saved yet" in answer.text
    assert f'<option value="{chosen["pool"]}" selected>' in answer.text
    assert (await playbooks.wire(rig)).json() == {"playbooks": []}
    added = await post(person, f"/cpu-gpu/{rig.id}/playbooks", **chosen)
    for script, words in (("# x", "It restarts with this change."), ("", "It keeps running.")):
        fields = chosen | {"do": "preview", "script": SCRIPT + script, "name": "Other"}
        assert words in (await post(person, f"{added.headers['location']}/edit", **fields)).text


async def test_errors_stand_beside_their_fields_and_the_input_is_kept(
    person: httpx.AsyncClient, farm: Farm, chosen: Json
) -> None:
    path = f"/cpu-gpu/{(await farm.add()).id}/playbooks"
    fields = chosen | {"script": "./x {pool2} {threads} {nice}", "pool": "", "name": "<b>", "variable.nice": "19"}
    answer = await post(person, path, **fields)
    assert answer.status_code == 422
    assert "{api_port}" in error_beside(answer.text, "script")
    assert "1 to 64 letters" in error_beside(answer.text, "name")
    assert "Not saved. 4 fields need your attention." in answer.text
    assert "{threads} is not a known placeholder" in error_beside(answer.text, "variable.threads")
    assert 'name="variable.nice" value="19"' in answer.text
    assert 'value="&lt;b&gt;"' in answer.text
    assert "./x {pool2} {threads} {nice}" in answer.text
    missing = await post(person, path, **chosen | {"wallet": "", "password": ""})
    assert "Choose a wallet" in error_beside(missing.text, "wallet")
    assert "Enter a pool password" in error_beside(missing.text, "password")


async def test_a_second_coin_is_only_meant_if_something_is_chosen(
    person: httpx.AsyncClient, farm: Farm, playbooks: Playbooks, chosen: Json
) -> None:
    rig = await farm.add()
    dual = await playbooks.software(name="Dual", algorithms=2)
    form = await page(person, f"/cpu-gpu/{rig.id}/playbooks/new?software={dual}")
    assert "A second coin at once" in form
    script = SCRIPT.replace("-p ", "--pool2 {pool2} --wallet2 {wallet2} -p ")
    fields = chosen | {"software": dual, "script": script, "algorithm2": "kheavyhash", "password2": "x"}
    answer = await post(person, f"/cpu-gpu/{rig.id}/playbooks", **fields)
    assert "Choose a second pool" in error_beside(answer.text, "pool2")
    both = fields | {"pool2": chosen["pool"], "wallet2": chosen["wallet"]}
    assert (await post(person, f"/cpu-gpu/{rig.id}/playbooks", **both)).status_code == 303
    assert len((await playbooks.wire(rig)).json()["playbooks"][0]["works"]) == 2


async def test_the_list_orders_pauses_and_removes(person: httpx.AsyncClient, farm: Farm, playbooks: Playbooks) -> None:
    rig, spec = await farm.add("rig-07"), await playbooks.spec()
    first, second = [await playbooks.add(rig, spec, name=name, script=another(name)) for name in ("First", "Second")]
    path = f"/cpu-gpu/{rig.id}/playbooks"

    async def names() -> list[str]:
        return re.findall(r'id="playbook-name-\d+"><a [^>]*>([^<]*)</a>', await page(person, path))

    for deed, order in (("down", ["Second", "First"]), ("down", ["Second", "First"]), ("up", ["First", "Second"])):
        assert (await post(person, f"{path}/{first['id']}/{deed}")).headers["location"] == path
        assert await names() == order
    await post(person, f"{path}/{second['id']}/pause")
    assert 'aria-label="Resume: Second"' in await page(person, path)
    dialog = await page(person, f"{path}?dialog=remove&playbook={second['id']}")
    assert f'The sentry of <span data-rig="{rig.id}">rig-07</span> stops this mining software' in dialog
    removed = await post(person, f"{path}/{second['id']}/remove")
    assert "The playbook was removed" in await page(person, removed.headers["location"])
    assert await names() == ["First"]
    assert (await post(person, f"{path}/{first['id']}/explode")).status_code == 404
    other = await farm.add("rig-08")
    assert (await post(person, f"/cpu-gpu/{other.id}/playbooks/{first['id']}/remove")).status_code == 404


async def test_revisions_are_shown_and_used_again(person: httpx.AsyncClient, farm: Farm, playbooks: Playbooks) -> None:
    rig = await farm.add("rig-07")
    added = await playbooks.add(rig, name="Main")
    path = f"/cpu-gpu/{rig.id}/playbooks/{added['id']}"
    await post(person, f"{path}/pause")
    html = await page(person, f"{path}?revision=2")
    assert "a browser at" in html
    assert "API key tests" in html
    assert '<span class="added">+paused: yes' in html
    assert '<span class="gone">-paused: no' in html
    await farm.client.patch(f"/api/v1/cpu-gpu-rigs/{rig.id}", json={"name": "rig-99"}, headers=farm.auth)
    again = await post(person, f"{path}/revisions/1/use")
    assert again.status_code == 303
    assert "Revision 1 used again" not in await page(person, path), "its script is what it was: nothing has changed"


async def test_a_playbook_is_copied_to_chosen_rigs(person: httpx.AsyncClient, farm: Farm, playbooks: Playbooks) -> None:
    rig, second, third = [await farm.add(f"rig-{number}") for number in range(1, 4)]
    added = await playbooks.add(rig, name="Main")
    path = f"/cpu-gpu/{rig.id}/playbooks/{added['id']}"
    choice = await page(person, f"{path}/copy")
    assert re.findall(r'name="rig" value="(\d+)"', choice) == [str(second.id), str(third.id)]
    assert f'value="{third.id}"' not in await page(person, f"{path}/copy?select=RIG-2")
    nobody = await post(person, f"{path}/copies")
    assert (nobody.status_code, "Choose the rigs" in nobody.text) == (422, True)
    done = await post(person, f"{path}/copies", rig=[second.id, third.id], apply="yes")
    assert done.text.count("Its playbook") == 2


async def test_pages_of_what_is_gone_say_so(person: httpx.AsyncClient, farm: Farm) -> None:
    rig = await farm.add()
    for path in (
        "/cpu-gpu/99/playbooks",
        "/cpu-gpu/99/playbooks/new",
        f"/cpu-gpu/{rig.id}/playbooks/99",
        f"/cpu-gpu/{rig.id}/playbooks/99/edit",
        f"/cpu-gpu/{rig.id}/playbooks/99/copy",
        "/mining-software/999",
        "/templates?dialog=edit&address=99",
    ):
        answer = await person.get(path)
        assert (answer.status_code, "it may have been removed" in answer.text) == (404, True), path


def test_an_author_is_named_as_far_as_one_password_tells() -> None:
    assert author_of(ApiKey(1, "backup", datetime(2026, 1, 1, tzinfo=UTC), None)) == "API key backup"


async def test_a_playbook_runs_as_root_only_if_its_author_says_so(
    person: httpx.AsyncClient, farm: Farm, playbooks: Playbooks, chosen: Json
) -> None:
    rig = await farm.add("rig-07")
    path = f"/cpu-gpu/{rig.id}/playbooks"
    added = (await post(person, path, **chosen)).headers["location"]
    assert "Runs as root" not in await page(person, added)
    ((wire,),) = [(await playbooks.wire(rig)).json()["playbooks"]]
    assert wire["root"] is False
    assert (await post(person, f"{added}/edit", **chosen, root="yes")).status_code == 303
    assert "Runs as root" in await page(person, added)
    assert re.search(r'name="root" value="yes" checked', await page(person, f"{added}/edit"))
    ((wire,),) = [(await playbooks.wire(rig)).json()["playbooks"]]
    assert (wire["root"], wire["revision"]) == (True, 2)
    assert "+runs as root: yes" in await page(person, f"{added}?revision=2")
    playbook_id = int(added.rpartition("/")[2])
    stored = await playbooks.get(f"/api/v1/playbooks/{playbook_id}")
    kept = {name: stored[name] for name in ("software_id", "name", "script", "works", "variables")}
    assert (await playbooks.put(f"/api/v1/playbooks/{playbook_id}", kept))["root"] is True, "it stays as it is"
    assert (await playbooks.put(f"/api/v1/playbooks/{playbook_id}", kept | {"root": False}))["root"] is False
    status = {"playbook_id": str(playbook_id), "revision": 3, "state": "mining", "runs_as": "minewarden-miner"}
    await farm.client.put("/api/v1/sentry/playbooks/status", json={"playbooks": [status]}, headers=rig.auth)
    assert 'id="runs-as">minewarden-miner<' in await page(person, added)
