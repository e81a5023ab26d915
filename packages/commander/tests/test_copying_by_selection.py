"""Copies of a playbook to many rigs by a selection: what would happen, how many rigs and which, and each result."""

import re

import httpx
from commander.playbooks.actions import CHANGED_AT_ONCE
from commander_farm import Farm, Rig, on_sqlite
from pages import page, post
from playbook_farm import MONERO, PLAYBOOKS, SCRIPT, Json, Playbooks, another

WINDOWS = {"os": "Windows 11"}


async def hall(farm: Farm, *names: str) -> list[Rig]:
    """Returns rigs of hall 2."""
    rigs = [await farm.add(name) for name in names]
    body = {"rigs": [rig.id for rig in rigs], "kind": "cpu-gpu", "add": ["hall:2"]}
    assert (await farm.client.post("/api/v1/tags", json=body, headers=farm.auth)).status_code == 200
    return rigs


async def a_source(farm: Farm, playbooks: Playbooks) -> tuple[Rig, Json]:
    """Returns rig-01 of hall 2 with its playbook Main. With it are rig-02 and, on Windows, rig-03, but not rig-04."""
    first, _, windows = await hall(farm, "rig-01", "rig-02", "rig-03")
    await farm.add("rig-04")
    await farm.client.put("/api/v1/sentry/specs", json=WINDOWS, headers=windows.auth)
    return first, await playbooks.add(first, name="Main")


def like(playbook: Json) -> Json:
    """Returns the body of a playbook with the same software, pool and wallet."""
    return {name: playbook[name] for name in ("software_id", "works")}


def rows(html: str) -> list[list[str]]:
    """Returns the texts of the cells of each row."""
    plain = re.sub(r'<span class="hidden">.*?</span>(?=</a>)', "", html)
    bodies = re.findall(r"<tr>(.*?)</tr>", plain.partition("<tbody>")[2], flags=re.DOTALL)
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", body, flags=re.DOTALL) for body in bodies]
    return [[" ".join(re.sub(r"<[^>]*>", " ", cell).split()) for cell in row] for row in cells]


async def playbooks_of(farm: Farm) -> dict[str, list[str]]:
    """Returns the names of the playbooks by rig."""
    rigs = (await farm.get("/api/v1/cpu-gpu-rigs")).json()
    return {
        rig["name"]: [each["name"] for each in (await farm.get(f"/api/v1/cpu-gpu-rigs/{rig['id']}/playbooks")).json()]
        for rig in rigs
    }


async def test_scripts_copy_by_a_selection_after_a_preview_that_keeps_nothing(farm: Farm, playbooks: Playbooks) -> None:
    _, added = await a_source(farm, playbooks)
    copy = f"{PLAYBOOKS}/{added['id']}/copy"
    plan = await playbooks.post(f"{copy}/preview", {"select": "tag:hall:2"}, status=200)
    assert [(each["rig"], each["playbook_id"]) for each in plan] == [("rig-02", None), ("rig-03", None)]
    assert plan[0]["reason"] == ""
    assert "this rig runs Windows" in plan[1]["reason"]
    assert await playbooks_of(farm) == {"rig-01": ["Main"], "rig-02": [], "rig-03": [], "rig-04": []}
    copies = await playbooks.post(copy, {"select": "tag:hall:2"}, status=200)
    assert [(each["rig"], each["playbook_id"] is not None) for each in copies] == [("rig-02", True), ("rig-03", False)]
    assert await playbooks_of(farm) == {"rig-01": ["Main"], "rig-02": ["Main"], "rig-03": [], "rig-04": []}


@on_sqlite
async def test_it_is_said_what_is_wrong_with_the_choice_of_rigs(farm: Farm, playbooks: Playbooks) -> None:
    _, added = await a_source(farm, playbooks)
    copy = f"{PLAYBOOKS}/{added['id']}/copy"
    for body, code, words in (
        ({}, "no_targets", "one of the two"),
        ({"select": "name:*", "rig_ids": [1]}, "no_targets", "one of the two"),
        ({"select": " "}, "no_targets", "every rig"),
        ({"select": "tag:nowhere"}, "no_targets", "No CPU/GPU rig matches"),
        ({"select": "gppu:3080"}, "bad_selection", "gpu"),
    ):
        for path in (copy, f"{copy}/preview"):
            answer = await playbooks.post(path, body, status=422)
            assert (answer["code"], words in answer["detail"]) == (code, True), body
    assert (await playbooks.post(f"{PLAYBOOKS}/99/copy", {"select": "name:*"}, status=404))["code"] == (
        "playbook_not_found"
    )


async def test_more_rigs_than_one_transaction_takes_get_their_copies(farm: Farm, playbooks: Playbooks) -> None:
    number = CHANGED_AT_ONCE + 5
    first, *others = await hall(farm, *(f"rig-{each:03}" for each in range(number + 1)))
    added = await playbooks.add(first, name="Main")
    copies = await playbooks.post(f"{PLAYBOOKS}/{added['id']}/copy", {"select": "tag:hall:2"}, status=200)
    assert [each["rig_id"] for each in copies] == [rig.id for rig in others]
    assert all(each["playbook_id"] for each in copies)
    last = (await playbooks.wire(others[-1])).json()["playbooks"]
    assert f"{MONERO}.rig-{number:03}" in last[0]["script"]
    again = await playbooks.post(f"{PLAYBOOKS}/{added['id']}/copy/preview", {"select": "tag:hall:2"}, status=200)
    assert all("has this already" in each["reason"] for each in again)


@on_sqlite
async def test_scripts_pause_and_resume_by_a_selection(farm: Farm, playbooks: Playbooks) -> None:
    first, added = await a_source(farm, playbooks)
    second = await playbooks.add(first, like(added), name="Backup", script=another("backup"))
    elsewhere = await playbooks.add(await farm.add("rig-05"), like(added), name="Elsewhere")
    both = [added["id"], second["id"]]

    async def paused() -> list[int]:
        shown = [await playbooks.get(f"{PLAYBOOKS}/{each}") for each in (*both, elsewhere["id"])]
        return [each["id"] for each in shown if each["paused"]]

    of_hall = {"select": "tag:hall:2"}
    assert await playbooks.post(f"{PLAYBOOKS}/pause", of_hall, status=200) == {"changed": 2}
    assert await paused() == both
    assert await playbooks.post(f"{PLAYBOOKS}/pause", of_hall, status=200) == {"changed": 0}
    assert await playbooks.post(f"{PLAYBOOKS}/resume", {"rigs": [first.id, 999]}, status=200) == {"changed": 2}
    assert await paused() == []


async def test_the_page_says_how_many_rigs_and_which_before_it_copies(
    person: httpx.AsyncClient, farm: Farm, playbooks: Playbooks
) -> None:
    first, added = await a_source(farm, playbooks)
    path = f"/cpu-gpu/{first.id}/playbooks/{added['id']}"
    choice = await page(person, f"{path}/copy?select=tag:hall:2")
    assert "2 rigs match" in choice
    assert "Preview for all 2 rigs" in choice
    preview = (await post(person, f"{path}/copies", select="tag:hall:2", every="yes")).text
    assert "Copy Main to 1 rig?" in preview
    stays, gets = rows(preview)
    assert (stays[0], stays[1].startswith("Stays as it is Its script is written for Linux")) == ("rig-03", True)
    assert gets == ["rig-02", "Gets it"]
    assert (await playbooks_of(farm))["rig-02"] == []
    ids = re.findall(r'name="rigs" value="([\d,-]*)"', preview)
    done = (await post(person, f"{path}/copies", rigs=ids[0], every="yes", apply="yes")).text
    assert "Main was copied to 1 rig" in done
    assert rows(done) == [["rig-02", "Copied Its playbook"]]
    assert (await playbooks_of(farm))["rig-02"] == ["Main"]
    nobody = (await post(person, f"{path}/copies", select="tag:hall:2", every="yes")).text
    assert "No rig can take Main" in nobody
    assert 'name="apply"' not in nobody


@on_sqlite
async def test_a_bad_or_empty_choice_of_rigs_is_explained_on_the_page(
    person: httpx.AsyncClient, farm: Farm, playbooks: Playbooks
) -> None:
    first, added = await a_source(farm, playbooks)
    path = f"/cpu-gpu/{first.id}/playbooks/{added['id']}"
    wrong = await person.get(f"{path}/copy?select=gppu:3080")
    assert (wrong.status_code, "Did you mean “gpu" in wrong.text) == (422, True)
    posted = await post(person, f"{path}/copies", select="gppu:3080", every="yes", apply="yes")
    assert (posted.status_code, "Did you mean “gpu" in posted.text) == (422, True)
    assert "No other rig matches" in await page(person, f"{path}/copy?select=tag:nowhere")
    assert (await playbooks_of(farm))["rig-02"] == []


async def test_ticked_rigs_of_the_index_get_a_playbook_that_is_chosen_next(
    person: httpx.AsyncClient, farm: Farm, playbooks: Playbooks
) -> None:
    first, added = await a_source(farm, playbooks)
    second, fourth = [rig["id"] for rig in (await farm.get("/api/v1/cpu-gpu-rigs?select=name:rig-02,rig-04")).json()]
    away = await post(person, "/cpu-gpu/copy", rigs=f"{second},{fourth}")
    assert (away.status_code, away.headers["location"]) == (303, f"/playbooks/copy?rigs={second}%2C{fourth}")
    choice = await page(person, away.headers["location"])
    assert "Copy a playbook to 2 rigs" in choice
    assert [row[:4] for row in rows(choice)] == [["Main", "xmrig 1.0", "Monero at pool.example:3333", "rig-01"]]
    path = re.findall(r'formaction="([^"]+)"', choice)[0]
    assert path == f"/cpu-gpu/{first.id}/playbooks/{added['id']}/copies"
    assert rows((await post(person, path, rigs=f"{second},{fourth}", every="yes")).text) == [
        ["rig-02", "Gets it"],
        ["rig-04", "Gets it"],
    ]
    everything = await post(person, "/cpu-gpu/copy", every="yes", back="select=tag:hall:2&health=waiting")
    assert everything.headers["location"] == "/playbooks/copy?select=tag%3Ahall%3A2+health%3Awaiting"


async def test_playbooks_that_differ_by_their_rig_alone_are_one_choice(
    person: httpx.AsyncClient, farm: Farm, playbooks: Playbooks
) -> None:
    first, second, third = await hall(farm, "rig-01", "rig-02", "rig-03")
    added = await playbooks.add(first, name="Main")
    await playbooks.post(f"{PLAYBOOKS}/{added['id']}/copy", {"rig_ids": [second.id]}, status=200)
    await playbooks.add(third, like(added), name="Main", script=f"{SCRIPT}# other\n")
    choice = await page(person, "/playbooks/copy?select=name:*")
    assert [row[3] for row in rows(choice)] == ["rig-01 and 1 more", "rig-03"]
    found = await page(person, "/playbooks/copy?select=name:*&q=RIG-03")
    assert [row[3] for row in rows(found)] == ["rig-03"]
    assert "No playbook matches" in await page(person, "/playbooks/copy?select=name:*&q=kaspa")
