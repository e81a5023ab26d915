"""Templates, mining software and playbooks as a browser without script gets them."""

import re
from datetime import UTC, datetime

import httpx
import pytest
from commander.accounts.domain import NamedKey, author_of
from commander_farm import Farm, Rig, a_log
from playbook_farm import MONERO, OTHER_MONERO, PLAYBOOKS, SCRIPT, SOFTWARE, Json, Playbooks, a_status, another

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
async def person(farm: Farm) -> httpx.AsyncClient:
    await farm.log_in()
    return farm.client


@pytest.fixture
def playbooks(farm: Farm) -> Playbooks:
    return Playbooks(farm)


async def post(person: httpx.AsyncClient, path: str, **fields: object) -> httpx.Response:
    return await person.post(path, data=fields, headers=FORM, follow_redirects=False)


async def page(person: httpx.AsyncClient, path: str) -> str:
    answer = await person.get(path)
    assert answer.status_code == 200, answer.text
    assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", answer.text), "inline script or style"
    return answer.text


def error_beside(html: str, name: str) -> str:
    """What stands beside the field of that name, which has to be marked."""
    field = re.search(rf'id="field-{re.escape(name)}"[^>]*aria-invalid="true"', html)
    assert field, f"{name} is not marked"
    found = re.search(rf'id="error-{re.escape(name)}">([^<]*)<', html)
    assert found
    return found[1]


async def test_the_navigation_leads_everywhere(person: httpx.AsyncClient) -> None:
    html = await page(person, "/cpu-gpu")
    for path, title in (("/templates", "Templates"), ("/mining-software", "Mining software")):
        assert f'<a href="{path}">{title}</a>' in html
        assert f'<a href="{path}" aria-current="page">{title}</a>' in await page(person, path)


async def test_empty_templates_say_what_to_do_next(person: httpx.AsyncClient) -> None:
    html = await page(person, "/templates")
    assert "No pools yet" in html
    assert "No wallets yet" in html
    assert 'href="/templates?dialog=add&amp;type=wallet"' in html


async def test_an_address_is_added_edited_and_removed_in_dialogs(person: httpx.AsyncClient) -> None:
    assert 'name="type" value="wallet"' in await page(person, "/templates?dialog=add&type=wallet")
    fields = {"type": "wallet", "name": "Cold, mine", "coin": "xmr", "address": MONERO}
    added = await post(person, "/templates", **fields)
    assert (added.status_code, added.headers["location"]) == (303, "/templates")
    html = await page(person, "/templates")
    number = re.search(r'id="address-(\d+)"', html)
    assert number
    assert f'title="{MONERO}">44AFFq5kSi…3RVGQBEP3A<' in html
    assert 'value="Cold, mine"' in await page(person, f"/templates?dialog=edit&address={number[1]}")
    edited = await post(person, f"/templates/{number[1]}/edit", **fields | {"name": "Warm"})
    assert edited.status_code == 303
    assert "No playbook uses this wallet" in await page(person, f"/templates?dialog=remove&address={number[1]}")
    removed = await post(person, f"/templates/{number[1]}/remove")
    assert "The wallet was removed." in await page(person, removed.headers["location"])


async def test_a_mistyped_wallet_comes_back_with_its_error_and_input(person: httpx.AsyncClient) -> None:
    wrong = MONERO[:-1] + "4"
    answer = await post(person, "/templates", type="wallet", name="Mine", coin="Monero", address=wrong)
    assert answer.status_code == 422
    assert "This is no Monero wallet: its checksum does not fit" in error_beside(answer.text, "address")
    assert f'value="{wrong}"' in answer.text
    assert 'data-url="/templates?dialog=add&amp;type=wallet"' in answer.text


async def test_what_is_in_use_says_by_whom_and_a_change_asks_first(
    person: httpx.AsyncClient, farm: Farm, playbooks: Playbooks
) -> None:
    rig = await farm.add("rig-07")
    playbook = await playbooks.add(rig, name="Main")
    wallet = playbook["works"][0]["wallet_id"]
    link = f'<a href="/cpu-gpu/{rig.id}/playbooks/{playbook["id"]}">Main</a> on <span data-rig="{rig.id}">rig-07</span>'
    dialog = await page(person, f"/templates?dialog=remove&address={wallet}")
    assert link in dialog
    assert "danger" not in dialog
    refused = await post(person, f"/templates/{wallet}/remove")
    assert (refused.status_code, link in refused.text) == (422, True)
    fields = {"name": "Cold wallet", "coin": "Monero", "address": OTHER_MONERO}
    asked = await post(person, f"/templates/{wallet}/edit", **fields)
    assert asked.status_code == 422
    assert link in asked.text
    assert "Save and restart 1 playbook<" in asked.text
    assert (await playbooks.get(f"{PLAYBOOKS}/{playbook['id']}"))["revision"] == 1
    assert (await post(person, f"/templates/{wallet}/edit", **fields, confirmed="yes")).status_code == 303
    assert (await playbooks.get(f"{PLAYBOOKS}/{playbook['id']}"))["revision"] == 2


async def test_the_catalogue_marks_what_is_missing(person: httpx.AsyncClient) -> None:
    html = await page(person, "/mining-software")
    assert html.count('id="software-') == 16
    row = html[html.index("PhoenixMiner") :]
    assert "no address" in row[: row.index("</tr>")]
    assert "no checksum" in html


async def test_software_is_added_from_an_older_version_and_checked(
    person: httpx.AsyncClient, playbooks: Playbooks
) -> None:
    known = {each["software"]: each for each in await playbooks.get(SOFTWARE)}
    html = await page(person, f"/mining-software/new?like={known['xmrig']['id']}")
    assert 'name="name" value="XMRig"' in html
    assert 'name="version" value=""' in html
    fields = {
        "name": "XMRig",
        "software": "xmrig",
        "version": "7.0",
        "hardware": "cpu",
        "has_api": "yes",
        "linux_url": "https://x.example/xmrig.tar.gz",
        "linux_executable": "../xmrig",
        "linux_script": "#!/bin/sh\r\n./{executable} {api_port}",
        "linux_sha256": "12",
    }
    answer = await post(person, "/mining-software", **fields)
    assert answer.status_code == 422
    assert "64 hexadecimal digits" in error_beside(answer.text, "linux_sha256")
    assert "path of the program" in error_beside(answer.text, "linux_executable")
    right = fields | {"linux_executable": "xmrig", "linux_sha256": ""}
    assert (await post(person, "/mining-software", **right)).status_code == 303
    taken = await post(person, "/mining-software", **right)
    assert "is in the catalogue already" in error_beside(taken.text, "version")
    mine = next(each for each in await playbooks.get(SOFTWARE) if each["version"] == "7.0")
    assert (mine["windows"], mine["linux"]["script"]) == (None, "#!/bin/sh\n./{executable} {api_port}\n")
    removed = await post(person, f"/mining-software/{mine['id']}/remove")
    assert removed.headers["location"] == "/mining-software?removed=yes"


async def test_software_in_use_asks_before_it_restarts_rigs(
    person: httpx.AsyncClient, farm: Farm, playbooks: Playbooks
) -> None:
    playbook = await playbooks.add(await farm.add("rig-07"), name="Main")
    number = playbook["software_id"]
    assert "It can't be removed" in (await post(person, f"/mining-software/{number}/remove")).text
    fields = {
        "name": "Miner",
        "software": "xmrig",
        "version": "1.0",
        "has_api": "yes",
        "linux_url": "https://x.example/other.tar.gz",
        "linux_executable": "miner",
        "linux_script": SCRIPT,
    }
    asked = await post(person, f"/mining-software/{number}", **fields)
    assert (asked.status_code, "Save and restart 1 playbook<" in asked.text) == (422, True)
    assert (await post(person, f"/mining-software/{number}", **fields, confirmed="yes")).status_code == 303
    assert (await playbooks.get(f"{PLAYBOOKS}/{playbook['id']}"))["package"]["executable"] == "miner"


@pytest.fixture
async def chosen(playbooks: Playbooks) -> Json:
    """What a person chooses in the form of a new playbook."""
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
    assert f'value="{third.id}"' not in await page(person, f"{path}/copy?q=RIG-2")
    nobody = await post(person, f"{path}/copies")
    assert (nobody.status_code, "Choose the rigs" in nobody.text) == (422, True)
    done = await post(person, f"{path}/copies", rig=[second.id, third.id])
    assert done.text.count("Its playbook") == 2


async def told(farm: Farm, playbooks: Playbooks, **more: object) -> tuple[Rig, Json]:
    rig = await farm.add("rig-07")
    added = await playbooks.add(rig, name="Main")
    await playbooks.tell(rig, a_status(added, **more))  # type: ignore[arg-type]  # the state among them
    return rig, added


async def test_a_failed_playbook_is_seen_from_the_index_on(
    person: httpx.AsyncClient, farm: Farm, playbooks: Playbooks
) -> None:
    lines = ["no GPU found", "<b>exiting</b>"]
    rig, added = await told(farm, playbooks, state="failed", reason="exit code 1", last_lines=lines)
    index = await page(person, "/cpu-gpu")
    assert f'<a class="state bad" href="/cpu-gpu/{rig.id}/playbooks" title="1 of its playbooks failed">' in index
    for path in (f"/cpu-gpu/{rig.id}", f"/cpu-gpu/{rig.id}/playbooks", f"/cpu-gpu/{rig.id}/playbooks/{added['id']}"):
        html = await page(person, path)
        assert '<span class="state bad">Failed</span>' in html, path
        assert "exit code 1" in html
    assert "no GPU found\n&lt;b&gt;exiting" in html


async def test_what_it_is_doing_is_said_in_words(person: httpx.AsyncClient, farm: Farm, playbooks: Playbooks) -> None:
    rig, added = await told(farm, playbooks, state="downloading", percent=42.4)
    assert "Downloading 42 %" in await page(person, f"/cpu-gpu/{rig.id}")
    await playbooks.tell(rig, a_status(added, "restarting", reason="0 H/s for 10 min", restarts=2))
    assert "0 H/s for 10 min" in await page(person, f"/cpu-gpu/{rig.id}/playbooks")
    await playbooks.post(f"{PLAYBOOKS}/{added['id']}/pause", None, status=200)
    html = await page(person, f"/cpu-gpu/{rig.id}/playbooks")
    assert "To be paused" in html
    assert "Change not taken yet" in html


async def test_what_the_software_prints_is_text_and_survives_a_reload(
    person: httpx.AsyncClient, farm: Farm, playbooks: Playbooks
) -> None:
    rig, added = await told(farm, playbooks, state="mining")
    await playbooks.print(rig, added["id"], [f"<i>line {number}" for number in range(150)])
    for path in (f"/cpu-gpu/{rig.id}", f"/cpu-gpu/{rig.id}/playbooks/{added['id']}"):
        html = await page(person, path)
        assert "&lt;i&gt;line 149</code>" in html
        assert "line 49\n" not in html


async def test_the_wallet_guard_speaks_up(person: httpx.AsyncClient, farm: Farm, playbooks: Playbooks) -> None:
    rig, added = await told(farm, playbooks, state="mining")
    reading = {"algorithm": "rx/0", "hashrate_hs": 1.0, "pool": "pool.example:3333", "user": f"{MONERO}.rig-07"}
    miner = {"software": "xmrig", "state": "mining", "playbook_id": str(added["id"]), "algorithms": [reading]}
    await farm.report(rig, a_log(2) | {"miners": [miner]})
    assert "does not mine what it should" not in await page(person, f"/cpu-gpu/{rig.id}")
    thief = {**miner, "algorithms": [reading | {"user": OTHER_MONERO, "pool": "evil.example:1"}]}
    await farm.report(rig, a_log() | {"miners": [thief]})
    for path in (f"/cpu-gpu/{rig.id}", f"/cpu-gpu/{rig.id}/playbooks"):
        html = await page(person, path)
        assert "Main does not mine what it should" in html
        assert OTHER_MONERO in html
        assert "evil.example:1" in html


async def test_the_wallet_guard_says_what_it_can_not_see(
    person: httpx.AsyncClient, farm: Farm, playbooks: Playbooks
) -> None:
    rig, added = await told(farm, playbooks, state="mining")
    path = f"/cpu-gpu/{rig.id}/playbooks/{added['id']}"
    miner = {"software": "xmrig", "state": "mining", "playbook_id": str(added["id"])}
    await farm.report(rig, a_log() | {"miners": [miner | {"algorithms": [{"algorithm": "rx/0", "hashrate_hs": 1.0}]}]})
    assert "Not reported by the software.</dd>" in await page(person, path)
    await playbooks.tell(rig, a_status(added, "mining", wallet_evidence="arguments"))
    html = await page(person, path)
    assert "The arguments of its process have the playbook" in html
    assert "does not mine what it should" not in html
    await playbooks.tell(rig, a_status(added, "mining", wallet_evidence="neither"))
    html = await page(person, path)
    assert "does not mine what it should" in html
    assert f'names the playbook\'s wallet <b class="wrap">{MONERO}</b>' in html
    assert (await playbooks.get(f"{PLAYBOOKS}/{added['id']}"))["status"]["wallet_evidence"] == "neither"


async def test_a_script_without_the_wallet_is_no_alarm(
    person: httpx.AsyncClient, farm: Farm, playbooks: Playbooks
) -> None:
    rig = await farm.add()
    added = await playbooks.add(rig, script="./{executable} --config mine.json --port {api_port}")
    await playbooks.tell(rig, a_status(added, "mining", wallet_evidence="neither"))
    miner = {"software": "xmrig", "state": "mining", "playbook_id": str(added["id"])}
    await farm.report(rig, a_log() | {"miners": [miner | {"algorithms": [{"algorithm": "rx/0", "hashrate_hs": 1.0}]}]})
    assert "does not mine what it should" not in await page(person, f"/cpu-gpu/{rig.id}")


async def test_a_rig_that_turns_out_to_run_windows_says_so(
    person: httpx.AsyncClient, farm: Farm, playbooks: Playbooks
) -> None:
    rig, _ = await told(farm, playbooks, state="failed")
    await farm.client.put("/api/v1/sentry/specs", json={"os": "Windows 11"}, headers=rig.auth)
    assert "this rig runs Windows" in await page(person, f"/cpu-gpu/{rig.id}/playbooks")


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
    assert author_of(NamedKey(1, "backup", datetime(2026, 1, 1, tzinfo=UTC), None)) == "API key backup"
