"""Mining software as a browser without script gets it."""

import httpx
from commander_farm import Farm
from pages import error_beside, page, post
from playbook_farm import PLAYBOOKS, SCRIPT, SOFTWARE, Playbooks


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


async def test_rigs_that_downloaded_another_file_than_the_others_are_named(
    person: httpx.AsyncClient, playbooks: Playbooks
) -> None:
    spec = await playbooks.spec()
    for number in range(4):
        rig = await playbooks.farm.add(f"rig-{number}")
        playbook = await playbooks.add(rig, spec)
        pin = ("ab" if number else "cd") * 32
        status = {"playbook_id": str(playbook["id"]), "revision": 1, "state": "mining", "pinned_sha256": pin}
        await playbooks.tell(rig, status)
        warned = 'role="alert">rig-0 downloaded another file' in await page(person, "/mining-software")
        assert warned is (number > 0)
