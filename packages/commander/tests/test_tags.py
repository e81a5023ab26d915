"""Tags of rigs: what may be one, how they change, and where they are seen."""

import asyncio

import msgspec
import pytest
import sqlalchemy as sa
from commander.audit.store import EntryFilter, read_entries
from commander.db import Database, open_database
from commander.settings import Settings
from commander.tags.domain import BadTag, TooManyTags, checked_tag, checked_tags
from commander.tags.tables import TAGS
from commander_farm import ASICS, RIGS, S19_PRO, Farm, a_log, an_asic_log, running

TAGS_CALL = "/api/v1/tags"


async def tags_of(farm: Farm, path: str = RIGS) -> dict[str, list[str]]:
    return {rig["name"]: rig["tags"] for rig in (await farm.get(path)).json()}


async def tag(farm: Farm, **body: object) -> int:
    answer = await farm.client.post(TAGS_CALL, json=body, headers=farm.auth)
    assert answer.status_code == 200, answer.text
    return int(answer.json()["changed"])


async def refused(farm: Farm, **body: object) -> tuple[int, str, str]:
    answer = await farm.client.post(TAGS_CALL, json=body, headers=farm.auth)
    return answer.status_code, answer.json()["code"], answer.json()["detail"]


def test_a_tag_is_trimmed_and_its_blanks_are_single() -> None:
    assert checked_tag("  hall :  2 ") == "hall:2"
    assert checked_tag("owner:  Anna   B.") == "owner:Anna B."
    assert checked_tags(["b", "A", "a", "hall : 2"]) == ("a", "b", "hall:2")


@pytest.mark.parametrize("text", ["", "  ", "a,b", 'a"b', "a*", "-a", "a\nb;c", "x" * 49, "\u202eabc"])
def test_what_a_selection_could_not_name_is_no_tag(text: str) -> None:
    with pytest.raises(BadTag):
        checked_tag(text)


def test_a_rig_has_so_many_tags_at_most() -> None:
    with pytest.raises(TooManyTags, match="32 tags at most; these would be 33"):
        checked_tags([f"t{number}" for number in range(33)])


async def test_patch_replaces_tags_or_renames_or_both(farm: Farm) -> None:
    rig = await farm.add("rig-01")
    path = f"{RIGS}/{rig.id}"
    answer = await farm.client.patch(path, json={"tags": ["rack:B", "hall:2", "HALL:2"]}, headers=farm.auth)
    assert (answer.status_code, answer.json()["name"], answer.json()["tags"]) == (200, "rig-01", ["HALL:2", "rack:B"])
    answer = await farm.client.patch(path, json={"name": "rig-1"}, headers=farm.auth)
    assert (answer.json()["name"], answer.json()["tags"]) == ("rig-1", ["HALL:2", "rack:B"])
    answer = await farm.client.patch(path, json={"name": "rig-2", "tags": ["test"]}, headers=farm.auth)
    assert (answer.json()["name"], answer.json()["tags"]) == ("rig-2", ["test"])
    assert (await farm.client.patch(path, json={}, headers=farm.auth)).json()["tags"] == ["test"]
    asic = await farm.add_asic("asic-01")
    answer = await farm.client.patch(f"{ASICS}/{asic.id}", json={"tags": ["hall:2"]}, headers=farm.auth)
    assert answer.json()["tags"] == ["HALL:2"] or answer.json()["tags"] == ["hall:2"]
    gone = await farm.client.patch(f"{RIGS}/99", json={"tags": ["a"]}, headers=farm.auth)
    assert gone.status_code == 404


async def test_a_name_that_is_taken_leaves_the_tags_as_they_are(farm: Farm) -> None:
    await farm.add("rig-01")
    rig = await farm.add("rig-02")
    answer = await farm.client.patch(f"{RIGS}/{rig.id}", json={"name": "rig-01", "tags": ["a"]}, headers=farm.auth)
    assert (answer.status_code, (await tags_of(farm))["rig-02"]) == (409, [])
    answer = await farm.client.patch(f"{RIGS}/{rig.id}", json={"name": "other", "tags": ["a,b"]}, headers=farm.auth)
    assert (answer.status_code, answer.json()["code"], answer.json()["errors"][0]["field"]) == (422, "bad_tag", "tags")
    assert await tags_of(farm) == {"rig-01": [], "rig-02": []}


async def test_tags_are_changed_by_selection_for_both_kinds_and_counted(farm: Farm) -> None:
    for name in ("rig-01", "rig-02", "other"):
        await farm.add(name)
    await farm.add_asic("rig-07")
    assert await tag(farm, select="rig-*", add=["hall:2", "old"]) == 3
    assert await tag(farm, select="rig-*", add=["HALL:2"]) == 0
    assert await tag(farm, select="tag:hall:2", kind="cpu-gpu", add=["new"], remove=["Old", "never"]) == 2
    assert await tags_of(farm) == {"other": [], "rig-01": ["hall:2", "new"], "rig-02": ["hall:2", "new"]}
    assert await tags_of(farm, ASICS) == {"rig-07": ["hall:2", "old"]}
    assert (await farm.get(TAGS_CALL)).json() == {
        "tags": [
            {"tag": "hall:2", "cpu_gpu_rigs": 2, "asic_rigs": 1},
            {"tag": "new", "cpu_gpu_rigs": 2, "asic_rigs": 0},
            {"tag": "old", "cpu_gpu_rigs": 0, "asic_rigs": 1},
        ]
    }
    assert await tag(farm, select="", remove=["hall:2", "new", "old"]) == 3
    assert (await farm.get(TAGS_CALL)).json() == {"tags": []}


async def test_tags_are_changed_by_ids(farm: Farm) -> None:
    rigs = [await farm.add(f"rig-{number}") for number in range(3)]
    asic = await farm.add_asic("asic")
    assert asic.id == rigs[0].id
    assert await tag(farm, rigs=[rigs[1].id, rigs[2].id, rigs[2].id], add=["a"]) == 2
    assert await tag(farm, rigs=[asic.id], kind="asic", add=["b"]) == 1
    assert (await tags_of(farm), await tags_of(farm, ASICS)) == (
        {"rig-0": [], "rig-1": ["a"], "rig-2": ["a"]},
        {"asic": ["b"]},
    )
    status, code, detail = await refused(farm, rigs=[asic.id], add=["c"])
    assert (status, code) == (422, "bad_targets")
    assert detail == f"A CPU/GPU rig and an ASIC have the id {asic.id}. Name the kind: cpu-gpu or asic."
    assert (await refused(farm, rigs=[99], kind="asic", add=["c"]))[:2] == (404, "rig_not_found")


async def test_a_mistake_changes_no_rig(farm: Farm) -> None:
    first, second = await farm.add("rig-01"), await farm.add("rig-02")
    many = [f"t{number}" for number in range(31)]
    await farm.client.patch(f"{RIGS}/{second.id}", json={"tags": many}, headers=farm.auth)
    assert await refused(farm, select="rig", add=["a", "b"]) == (
        422,
        "too_many_tags",
        "rig-02 has 32 tags at most; these would be 33.",
    )
    assert (await refused(farm, select="rig", add=["a,b"]))[1] == "bad_tag"
    assert (await refused(farm, add=["a"]))[1] == "bad_targets"
    assert (await refused(farm, select="x", rigs=[first.id], add=["a"]))[1] == "bad_targets"
    assert await refused(farm, select="tga:x", add=["a"]) == (
        422,
        "bad_selection",
        "“tga” (character 1) is not a key. Did you mean “tag”?",
    )
    assert (await tags_of(farm))["rig-01"] == []


async def test_a_list_of_rigs_takes_a_selection(farm: Farm) -> None:
    hot, cold = await farm.add("hot"), await farm.add("cold")
    await farm.report(hot, a_log())
    asic = await farm.add_asic("miner")
    await farm.report_asic(asic, an_asic_log(), specs=S19_PRO)
    await tag(farm, rigs=[cold.id], kind="cpu-gpu", add=["cellar"])

    async def names(path: str, line: str) -> list[str]:
        answer = await farm.client.get(path, params={"select": line}, headers=farm.auth)
        assert answer.status_code == 200, answer.text
        return [rig["name"] for rig in answer.json()]

    assert await names(RIGS, "temperature>60 coin:xmr ip:192.168.1.0/24 software:xmrig") == ["hot"]
    assert await names(RIGS, "tag:cellar,none -health:online") == ["cold"]
    assert await names(RIGS, "") == ["cold", "hot"]
    assert await names(ASICS, "model:s19 02:00:5e:10:00:01 hashrate>100TH/s pool.example farm.s19") == ["miner"]
    answer = await farm.client.get(RIGS, params={"select": 'a "b'}, headers=farm.auth)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_selection")
    assert answer.json()["errors"][0]["field"] == "select"


async def test_tags_are_there_again_after_a_restart_and_go_with_their_rig(settings: Settings) -> None:
    async with running(settings) as client:
        farm = Farm(client, settings)
        await farm.make_key()
        rig = await farm.add("rig-01")
        await farm.add_asic("asic-01")
        assert await tag(farm, select="01", add=["hall:2"]) == 2
    async with running(settings) as client:
        farm.client = client
        assert await tags_of(farm) == {"rig-01": ["hall:2"]}
        assert await tags_of(farm, ASICS) == {"asic-01": ["hall:2"]}
        assert (await client.delete(f"{RIGS}/{rig.id}", headers=farm.auth)).status_code == 204
    async with open_database(settings.database_url) as database:
        assert await rows_of(database) == [("asic-01's", "hall:2")]


async def rows_of(database: Database) -> list[tuple[str, str]]:
    async with database.reading() as db:
        owners = {kind: await db.execute(sa.select(tags.c.tag)) for kind, tags in TAGS.items()}
        return [(f"{kind}-01's", row.tag) for kind, rows in owners.items() for row in rows]


async def test_two_people_who_tag_the_same_rigs_at_once_both_succeed(farm: Farm) -> None:
    for number in range(5):
        await farm.add(f"rig-{number}")
    async with asyncio.TaskGroup() as group:
        for name in ("a", "b", "c", "d"):
            group.create_task(tag(farm, select="rig", add=[name, "same"]))
    assert set(map(tuple, (await tags_of(farm)).values())) == {("a", "b", "c", "d", "same")}


async def test_the_audit_log_names_the_tags_and_the_rigs(farm: Farm) -> None:
    first = await farm.add("rig-01")
    await farm.add("rig-02")
    await tag(farm, select="rig", add=["hall:2"], remove=["old"])
    await tag(farm, select="rig", add=["hall:2"])
    await farm.client.patch(f"{RIGS}/{first.id}", json={"tags": []}, headers=farm.auth)
    async with open_database(farm.settings.database_url) as database, database.reading() as db:
        entries = await read_entries(db, EntryFilter(what="tags"), before_id=None, limit=10)
    assert [(entry.subject, entry.detail) for entry in entries] == [
        ("rig-01", "Now: none"),
        ("2 rigs", "Added hall:2; removed old. Rigs: rig-01, rig-02"),
    ]


async def test_listeners_of_the_index_get_new_tags(served_farm: Farm) -> None:
    rig = await served_farm.add("rig-01")
    async with served_farm.socket("/api/v1/events?channels=cpu-gpu-mining-rig-index", **served_farm.auth) as socket:
        await tag(served_farm, rigs=[rig.id], kind="cpu-gpu", add=["hall:2"])
        message = msgspec.json.decode(await asyncio.wait_for(socket.recv(), 60))
    assert (message["event"], message["data"]["tags"]) == ("updated", ["hall:2"])
