"""The catalogue of mining software over the API."""

from dataclasses import replace
from datetime import UTC, datetime

from commander.db import open_database
from commander.settings import Settings
from commander.software import store
from commander.software.catalogue import shipped
from commander_farm import Farm, running
from playbook_farm import SOFTWARE, Playbooks, a_software


async def test_the_catalogue_is_there_from_the_start(playbooks: Playbooks) -> None:
    known = await playbooks.get(SOFTWARE)
    assert {each["software"] for each in known} == {about.software for about in shipped().values()}
    xmrig = next(each for each in known if each["software"] == "xmrig")
    assert (xmrig["shipped"], xmrig["hardware"], xmrig["used_by"]) == (True, "cpu+gpu", [])
    assert len(xmrig["linux"]["sha256"]) == 64


async def test_versions_stand_side_by_side(playbooks: Playbooks) -> None:
    await playbooks.software()
    await playbooks.software(version="2.0")
    mine = [each["version"] for each in await playbooks.get(SOFTWARE) if each["name"] == "Miner"]
    assert mine == ["2.0", "1.0"]
    taken = await playbooks.post(SOFTWARE, a_software(name="MINER"), status=409)
    assert (taken["code"], taken["errors"][0]["field"]) == ("version_taken", "version")


async def test_every_wrong_field_is_named(playbooks: Playbooks) -> None:
    linux = a_software()["linux"] | {"url": "x", "executable": "/bin/sh", "sha256": "1"}
    answer = await playbooks.post(SOFTWARE, a_software(version="a b", linux=linux), status=422)
    assert {each["field"] for each in answer["errors"]} == {
        *("version", "linux.url", "linux.executable", "linux.sha256"),
    }
    assert (await playbooks.post(SOFTWARE, a_software(linux=None), status=422))["errors"][0]["field"] == "linux.url"


async def test_what_is_in_use_is_protected_and_a_change_reaches_the_rigs(farm: Farm, playbooks: Playbooks) -> None:
    rig = await farm.add("rig-07")
    playbook = await playbooks.add(rig, name="Main")
    path = f"{SOFTWARE}/{playbook['software_id']}"
    refused = await playbooks.delete(path)
    assert (refused.status_code, "Main on rig-07" in refused.json()["detail"]) == (409, True)
    linux = a_software()["linux"] | {"sha256": "cd" * 32, "script": "exec other {api_port}"}
    changed = await playbooks.put(path, a_software(linux=linux))
    assert changed["used_by"][0]["playbook"] == "Main"
    told = (await playbooks.wire(rig)).json()["playbooks"][0]
    assert (told["revision"], told["package"]["sha256"]) == (2, "cd" * 32)
    assert "exec other" not in told["script"], "a playbook's script is its own"
    gone = await playbooks.put(path, a_software(linux=None, windows=linux), status=422)
    assert "Main on rig-07 can't take this" in gone["detail"]


async def test_a_start_mends_the_catalogue_and_leaves_alone_what_people_did(
    farm: Farm, playbooks: Playbooks, settings: Settings
) -> None:
    known = {each["software"]: each for each in await playbooks.get(SOFTWARE)}
    await playbooks.delete(f"{SOFTWARE}/{known['bminer']['id']}")
    edited = {name: known["rigel"][name] for name in a_software()} | {"note": "ours"}
    await playbooks.put(f"{SOFTWARE}/{known['rigel']['id']}", edited)
    in_use = await playbooks.add(
        await farm.add(), await playbooks.spec(), software_id=known["xmrig"]["id"], script="", name=""
    )
    assert in_use["name"] == "XMRig Monero"
    await make_outdated(settings, known["lolminer"]["id"], known["xmrig"]["id"])
    async with running(settings) as client:
        after = {each["software"]: each for each in (await client.get(SOFTWARE, headers=farm.auth)).json()}
    assert "bminer" not in after
    assert after["rigel"]["note"] == "ours"
    assert after["lolminer"]["note"] == known["lolminer"]["note"]
    assert after["xmrig"]["note"] == "outdated", "an entry in use is not changed behind anybody's back"
    assert in_use["software_id"] == after["xmrig"]["id"]


async def make_outdated(settings: Settings, *software_ids: int) -> None:
    """As an earlier version of the commander shipped them."""
    async with open_database(settings.database_url) as database, database.transaction() as db:
        for software_id in software_ids:
            entry = await store.get_software(db, software_id)
            older = replace(entry.about, note="outdated")
            await store.update_software(db, software_id, older, edited=False, now=datetime.now(UTC))
