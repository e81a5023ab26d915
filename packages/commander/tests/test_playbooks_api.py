"""Playbooks over the API, as scripts use it."""

from commander.playbooks.domain import PLAYBOOKS_A_RIG
from commander_farm import RIGS, Farm
from playbook_farm import MONERO, PLAYBOOKS, SCRIPT, Playbooks, a_software, another


async def test_a_playbook_is_added_shown_edited_and_removed(farm: Farm, playbooks: Playbooks) -> None:
    rig = await farm.add("rig-07")
    added = await playbooks.add(rig)
    assert (added["name"], added["revision"], added["platform"]) == ("Miner Monero", 1, "linux")
    assert added["script"] == SCRIPT
    line = f"exec ./miner-1.0/miner -o pool.example:3333 -u {MONERO}.rig-07 -p x --http-port={{api_port}}"
    assert line in added["rendered_script"]
    path = f"{PLAYBOOKS}/{added['id']}"
    assert await playbooks.get(path) == added
    assert await playbooks.get(f"{RIGS}/{rig.id}/playbooks") == [added]
    body = {"software_id": added["software_id"], "works": added["works"], "name": "Night", "script": SCRIPT + "# x"}
    edited = await playbooks.put(path, body)
    assert (edited["name"], edited["revision"]) == ("Night", 2)
    assert (await playbooks.put(path, body))["revision"] == 2, "nothing has changed"
    assert (await playbooks.delete(path)).status_code == 204
    for answer in (await farm.get(path), await playbooks.delete(path), await farm.get(f"{path}/revisions")):
        assert (answer.status_code, answer.json()["code"]) == (404, "playbook_not_found")
    assert (await playbooks.wire(rig)).json() == {"playbooks": []}


async def test_the_rigs_charts_show_when_its_playbooks_changed(farm: Farm, playbooks: Playbooks) -> None:
    rig = await farm.add("rig-07")
    path = f"{PLAYBOOKS}/{(await playbooks.add(rig, name='Night'))['id']}"
    await playbooks.post(f"{path}/pause", None, status=200)
    await playbooks.post(f"{path}/pause", None, status=200)  # it was paused already
    await playbooks.delete(path)
    happened = (await playbooks.get(f"{RIGS}/{rig.id}/history"))["events"]
    assert [(each["kind"], each["text"]) for each in happened] == [
        ("playbook_changed", "Night: Added"),
        ("playbook_changed", "Night: Paused"),
        ("playbook_changed", "Night: Removed"),
    ]


async def test_what_is_wrong_is_said_beside_its_field(farm: Farm, playbooks: Playbooks) -> None:
    rig, spec = await farm.add(), await playbooks.spec()
    for more, field in (
        ({"software_id": 999}, "software_id"),
        ({"script": "x {nothing} {api_port}"}, "variables.nothing"),
        ({"script": "x"}, "script"),
        ({"works": [{"pool_id": 99}]}, "works.0.pool_id"),
        ({"works": [{"wallet_id": spec["works"][0]["wallet_id"]}]}, "works.0.pool_id"),
        ({"name": "<b>"}, "name"),
    ):
        for path in ("playbooks", "playbooks/preview"):
            answer = await playbooks.post(f"{RIGS}/{rig.id}/{path}", spec | more, status=422)
            assert field in [each["field"] for each in answer["errors"]], (more, answer)
    assert await playbooks.get(f"{RIGS}/{rig.id}/playbooks") == []


async def test_a_preview_keeps_nothing(farm: Farm, playbooks: Playbooks) -> None:
    rig, spec = await farm.add("rig-07"), await playbooks.spec()
    preview = await playbooks.post(f"{RIGS}/{rig.id}/playbooks/preview", spec, status=200)
    assert preview["platform"] == "linux"
    assert f"{MONERO}.rig-07" in preview["script"]
    assert await playbooks.get(f"{RIGS}/{rig.id}/playbooks") == []


async def test_own_variables_are_filled_in(farm: Farm, playbooks: Playbooks) -> None:
    script = "./{executable} --threads {threads} {api_port}"
    added = await playbooks.add(await farm.add(), script=script, variables={"threads": "8 or so"})
    assert "--threads '8 or so'" in added["rendered_script"]


async def test_pausing_is_a_change_that_travels(farm: Farm, playbooks: Playbooks) -> None:
    rig = await farm.add()
    added = await playbooks.add(rig)
    path = f"{PLAYBOOKS}/{added['id']}"
    assert (await playbooks.post(f"{path}/pause", None, status=200))["paused"]
    assert (await playbooks.post(f"{path}/pause", None, status=200))["revision"] == 2
    told = (await playbooks.wire(rig)).json()["playbooks"][0]
    assert (told["paused"], told["revision"]) == (True, 2)
    body = {"software_id": added["software_id"], "works": added["works"], "name": "Other"}
    assert (await playbooks.put(path, body))["paused"], "an edit that says nothing of it leaves it paused"
    assert not (await playbooks.post(f"{path}/resume", None, status=200))["paused"]


async def test_the_operator_s_order_travels(farm: Farm, playbooks: Playbooks) -> None:
    rig, spec = await farm.add(), await playbooks.spec()
    ids = [(await playbooks.add(rig, spec, name=name, script=another(name)))["id"] for name in ("a", "b", "c")]
    before = (await playbooks.wire(rig)).headers["ETag"]
    await playbooks.put(f"{RIGS}/{rig.id}/playbooks/order", {"playbooks": [ids[2], 999, ids[0]]}, status=204)
    wire = await playbooks.wire(rig)
    assert [each["name"] for each in wire.json()["playbooks"]] == ["c", "a", "b"]
    assert wire.headers["ETag"] != before
    assert {each["revision"] for each in wire.json()["playbooks"]} == {1}


async def test_revisions_tell_what_changed_and_come_back(farm: Farm, playbooks: Playbooks) -> None:
    rig = await farm.add("rig-07")
    added = await playbooks.add(rig)
    path = f"{PLAYBOOKS}/{added['id']}"
    body = {"software_id": added["software_id"], "works": added["works"], "name": added["name"]}
    await playbooks.put(path, body | {"script": SCRIPT.replace("exec ", "nice ")})
    revisions = await playbooks.get(f"{path}/revisions")
    assert [(each["revision"], each["what"], each["author"]) for each in revisions] == [
        (2, "Edited", "API key tests"),
        (1, "Added", "API key tests"),
    ]
    changes = revisions[0]["diff"].splitlines()
    assert any(line.startswith("-exec ./miner-1.0/miner") for line in changes)
    assert any(line.startswith("+nice ./miner-1.0/miner") for line in changes)
    again = await playbooks.post(f"{path}/revisions/1/use", None, status=200)
    assert (again["revision"], again["rendered_script"]) == (3, added["rendered_script"])
    assert (await playbooks.get(f"{path}/revisions"))[0]["what"] == "Revision 1 used again"
    assert (await playbooks.post(f"{path}/revisions/99/use", None, status=404))["code"] == "playbook_not_found"


async def test_a_playbook_is_copied_to_many_rigs_at_once(farm: Farm, playbooks: Playbooks) -> None:
    first, second, windows = await farm.add("rig-01"), await farm.add("rig-02"), await farm.add("rig-03")
    await farm.client.put("/api/v1/sentry/specs", json={"os": "Windows 11"}, headers=windows.auth)
    added = await playbooks.add(first, name="Main")
    copy = f"{PLAYBOOKS}/{added['id']}/copy"
    copies = await playbooks.post(copy, {"rig_ids": [second.id, windows.id, 999, second.id]}, status=200)
    assert [(each["rig"], each["playbook_id"] is not None) for each in copies] == [
        ("rig-02", True),
        ("rig-03", False),
        ("rig 999", False),
    ]
    assert "written for Linux, and this rig runs Windows" in copies[1]["reason"]
    assert f"{MONERO}.rig-02" in (await playbooks.wire(second)).json()["playbooks"][0]["script"]
    revisions = await playbooks.get(f"{PLAYBOOKS}/{copies[0]['playbook_id']}/revisions")
    assert revisions[0]["what"] == "Copied from Main on rig-01"


async def test_an_unedited_script_is_copied_to_the_other_system(farm: Farm, playbooks: Playbooks) -> None:
    linux, windows = await farm.add("rig-01"), await farm.add("rig-02")
    await farm.client.put("/api/v1/sentry/specs", json={"os": "Windows 11"}, headers=windows.auth)
    spec = await playbooks.spec()
    side = a_software()["linux"] | {"archive": "zip", "script": "@echo off\n{executable} {api_port}"}
    software_id = await playbooks.software(name="Both", windows=side)
    added = await playbooks.add(linux, spec, software_id=software_id)
    copies = await playbooks.post(f"{PLAYBOOKS}/{added['id']}/copy", {"rig_ids": [windows.id]}, status=200)
    copied = await playbooks.get(f"{PLAYBOOKS}/{copies[0]['playbook_id']}")
    assert (copied["platform"], copied["rendered_script"]) == (
        "windows",
        "@echo off\nminer-1.0\\miner {api_port}\n",
    )


async def test_a_rig_has_so_many_playbooks_at_most(farm: Farm, playbooks: Playbooks) -> None:
    rig, spec = await farm.add(), await playbooks.spec()
    for number in range(PLAYBOOKS_A_RIG):
        await playbooks.add(rig, spec, script=another(number))
    answer = await playbooks.post(f"{RIGS}/{rig.id}/playbooks", spec, status=409)
    assert answer["code"] == "too_many_playbooks"


async def test_a_rename_touches_only_scripts_that_hold_the_name(farm: Farm, playbooks: Playbooks) -> None:
    rig, spec = await farm.add("rig-07"), await playbooks.spec()
    await playbooks.add(rig, spec, name="with")
    await playbooks.add(rig, spec, name="without", script="./{executable} {api_port}")
    await farm.client.patch(f"{RIGS}/{rig.id}", json={"name": "rig-99"}, headers=farm.auth)
    told = (await playbooks.wire(rig)).json()["playbooks"]
    assert [(each["name"], each["revision"]) for each in told] == [("with", 2), ("without", 1)]
    assert f"{MONERO}.rig-99" in told[0]["script"]
    etag = (await playbooks.wire(rig)).headers["ETag"]
    await farm.client.patch(f"{RIGS}/{rig.id}", json={"name": "rig-99"}, headers=farm.auth)
    assert (await playbooks.wire(rig)).headers["ETag"] == etag


async def test_a_name_that_a_script_can_t_take_is_refused(farm: Farm, playbooks: Playbooks) -> None:
    rig = await farm.add("rig-07")
    await playbooks.add(rig, script='./{executable} "{worker}" {api_port}', name="Main")
    answer = await farm.client.patch(f"{RIGS}/{rig.id}", json={"name": "rig 7"}, headers=farm.auth)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "name")
    assert "Main on rig 7 can't take this" in answer.json()["detail"]
    assert (await playbooks.get(f"{RIGS}/{rig.id}"))["name"] == "rig-07"


async def test_a_rig_that_is_not_there_has_no_playbooks(farm: Farm, playbooks: Playbooks) -> None:
    spec = await playbooks.spec()
    for answer in (
        await farm.get(f"{RIGS}/99/playbooks"),
        await farm.get(f"{RIGS}/99/output"),
        await farm.client.post(f"{RIGS}/99/playbooks", json=spec, headers=farm.auth),
        await farm.client.post(f"{RIGS}/99/playbooks/preview", json=spec, headers=farm.auth),
        await farm.client.put(f"{RIGS}/99/playbooks/order", json={"playbooks": []}, headers=farm.auth),
    ):
        assert (answer.status_code, answer.json()["code"]) == (404, "rig_not_found")


async def test_the_openapi_document_describes_every_call(farm: Farm) -> None:
    document = (await farm.get("/schema/openapi.json")).json()
    called = {
        "/api/v1/addresses": {"get", "post"},
        "/api/v1/addresses/{address_id}": {"put", "delete"},
        "/api/v1/mining-software": {"get", "post"},
        "/api/v1/mining-software/{software_id}": {"put", "delete"},
        "/api/v1/cpu-gpu-rigs/{rig_id}/playbooks": {"get", "post"},
        "/api/v1/cpu-gpu-rigs/{rig_id}/playbooks/preview": {"post"},
        "/api/v1/cpu-gpu-rigs/{rig_id}/playbooks/order": {"put"},
        "/api/v1/cpu-gpu-rigs/{rig_id}/output": {"get"},
        "/api/v1/playbooks/{playbook_id}": {"get", "put", "delete"},
        "/api/v1/playbooks/pause": {"post"},
        "/api/v1/playbooks/resume": {"post"},
        "/api/v1/playbooks/{playbook_id}/copy": {"post"},
        "/api/v1/playbooks/{playbook_id}/copy/preview": {"post"},
        "/api/v1/playbooks/{playbook_id}/pause": {"post"},
        "/api/v1/playbooks/{playbook_id}/resume": {"post"},
        "/api/v1/playbooks/{playbook_id}/revisions": {"get"},
        "/api/v1/playbooks/{playbook_id}/revisions/{revision}/use": {"post"},
        "/api/v1/sentry/playbooks": {"get"},
        "/api/v1/sentry/playbooks/status": {"put"},
        "/api/v1/sentry/output": {"post"},
    }
    for path, methods in called.items():
        assert methods == set(document["paths"][path]), path
    assert {"Playbooks", "PlaybooksStatus", "OutputReport", "PlaybookAnswer"} <= set(document["components"]["schemas"])
