"""Selections and tags on the index pages, as a browser without script gets them."""

import re
from html import escape, unescape

import httpx
import pytest
from commander.saved_views.actions import VIEWS_OF_A_KIND
from commander_farm import ASICS, RIGS, Farm, a_log, on_sqlite, post_form
from playbook_farm import Playbooks
from test_rig_pages import row_names


async def tags_of(farm: Farm, path: str = RIGS) -> dict[str, list[str]]:
    return {rig["name"]: rig["tags"] for rig in (await farm.get(path)).json()}


async def tag(farm: Farm, kind: str, rig_id: int, *tags: str) -> None:
    body = {"kind": kind, "rigs": [rig_id], "add": tags}
    assert (await farm.client.post("/api/v1/tags", json=body, headers=farm.auth)).status_code == 200


async def test_the_address_holds_the_selection(person: httpx.AsyncClient, farm: Farm) -> None:
    hot, cold = await farm.add("hot"), await farm.add("cold")
    await farm.report(hot, a_log())
    await tag(farm, "cpu-gpu", cold.id, "hall:2")
    html = (await person.get("/cpu-gpu", params={"select": "coin:xmr temperature>60", "sort": "power"})).text
    assert row_names(html) == ["hot"]
    assert '<p class="muted" id="matches" data-listed="1">1 of 2 rigs matches</p>' in html
    assert 'value="coin:xmr temperature&gt;60"' in html
    assert '<input type="hidden" name="sort" value="power">' in html
    assert "select=coin%3Axmr+temperature%3E60&amp;view=rigs" in html
    for word in ("tag:hall:2", "hall:2".replace(":", "*"), '"hall:2"'):
        assert row_names((await person.get("/cpu-gpu", params={"select": word})).text) == ["cold"]


async def test_an_address_of_an_earlier_version_still_searches(person: httpx.AsyncClient, farm: Farm) -> None:
    await farm.add("shed 01"), await farm.add("cellar: 01")
    assert row_names((await person.get("/cpu-gpu?q=shed+01")).text) == ["shed 01"]
    assert row_names((await person.get("/cpu-gpu?q=cellar:")).text) == ["cellar: 01"]


async def test_a_mistake_in_the_selection_is_shown_and_no_rig(person: httpx.AsyncClient, farm: Farm) -> None:
    await farm.add("rig-01")
    for line, message in (
        ("tga:x", "“tga” (character 1) is not a key. Did you mean “tag”?"),
        ('rig "x', "The quote “x” (character 5) is not closed."),
        ("x" * 10_000, "A selection has 2,000 characters at most; this one has 10,000. Use tags instead."),
    ):
        answer = await person.get("/cpu-gpu", params={"select": line})
        assert answer.status_code == 422
        assert f'id="select-error" role="alert">{message}</p>' in answer.text
        assert row_names(answer.text) == []
        assert 'aria-invalid="true"' in answer.text


async def test_a_row_and_the_rig_s_page_show_tags_that_lead_to_their_rigs(
    person: httpx.AsyncClient, farm: Farm
) -> None:
    rig = await farm.add("rig-01")
    await tag(farm, "cpu-gpu", rig.id, "hall 2", "rack:B", "a", "b")
    html = (await person.get("/cpu-gpu")).text
    shown = re.findall(r'<a class="tag" href="([^"]*)">([^<]*)</a>', html)
    assert [name for _, name in shown] == ["a", "b", "hall 2"]
    assert row_names((await person.get(shown[-1][0])).text) == ["rig-01"]
    assert '<small title="rack:B">…</small>' in html
    html = (await person.get(f"/cpu-gpu/{rig.id}")).text
    assert re.findall(r'<a class="tag" href="[^"]*">([^<]*)</a>', html) == ["a", "b", "hall 2", "rack:B"]


async def test_the_tags_of_one_rig_are_edited_in_a_dialog(person: httpx.AsyncClient, farm: Farm) -> None:
    rig = await farm.add("rig-01")
    await tag(farm, "cpu-gpu", rig.id, "old", "rack:B")
    dialog = (await person.get(f"/cpu-gpu/{rig.id}?dialog=tags")).text
    assert 'name="tags" value="old, rack:B"' in dialog
    saved = await post_form(person, f"/cpu-gpu/{rig.id}/tags", tags="rack:B; hall : 2,,")
    assert (saved.status_code, saved.headers["location"]) == (303, f"/cpu-gpu/{rig.id}")
    assert await tags_of(farm) == {"rig-01": ["hall:2", "rack:B"]}
    wrong = await post_form(person, f"/cpu-gpu/{rig.id}/tags?from=index", tags='a"b')
    assert wrong.status_code == 422
    assert "is not a tag" in wrong.text
    assert await tags_of(farm) == {"rig-01": ["hall:2", "rack:B"]}
    assert (await post_form(person, "/cpu-gpu/99/tags", tags="a")).status_code == 404


async def test_chosen_rigs_are_named_before_their_tags_change(person: httpx.AsyncClient, farm: Farm) -> None:
    rigs = [await farm.add(f"rig-{number}") for number in range(5)]
    await tag(farm, "cpu-gpu", rigs[1].id, "old")
    ids = f"{rigs[0].id}-{rigs[3].id}"
    dialog = await post_form(person, "/cpu-gpu/tags", rigs=ids, back="?sort=power")
    assert dialog.status_code == 200
    assert "rig-0, rig-1, rig-2 and 1 more" in dialog.text
    assert '<button class="primary">Change tags of 4 rigs</button>' in dialog.text
    assert f'name="rigs" value="{ids}"' in dialog.text
    assert '<input type="checkbox" name="remove" value="old">' in dialog.text
    assert await tags_of(farm) == {f"rig-{n}": ["old"] if n == 1 else [] for n in range(5)}
    done = await post_form(person, "/cpu-gpu/tags", rigs=ids, back="sort=power", add="a, b", remove="old", apply="yes")
    assert (done.status_code, done.headers["location"]) == (303, "/cpu-gpu?sort=power")
    assert await tags_of(farm) == {f"rig-{n}": ["a", "b"] if n < 4 else [] for n in range(5)}
    wrong = await post_form(person, "/cpu-gpu/tags", rigs=ids, add="c*", remove="a", apply="yes")
    assert wrong.status_code == 422
    assert 'name="remove" value="a" checked' in wrong.text


async def test_all_that_match_are_frozen_when_the_dialog_opens(person: httpx.AsyncClient, farm: Farm) -> None:
    for number in range(120):
        await farm.add_asic(f"asic-{number}")
    other = await farm.add_asic("other")
    dialog = (await post_form(person, "/asics/tags", every="yes", back="?select=asic")).text
    assert "Change tags of 120 ASICs" in dialog
    ids = re.search(r'name="rigs" value="([^"]*)"', dialog)
    assert ids
    await farm.client.patch(f"{ASICS}/{other.id}", json={"name": "asic-late"}, headers=farm.auth)
    await post_form(person, "/asics/tags", rigs=ids[1], back="select=asic", add="hall:2", apply="yes")
    tags = await tags_of(farm, ASICS)
    assert (tags.pop("asic-late"), set(map(tuple, tags.values()))) == ([], {("hall:2",)})


@pytest.mark.parametrize("text", ["", "x", "1-", "99999999999999", "5-1", "1,,2", "-3"])
async def test_ids_that_nobody_has_ticked_choose_nothing(person: httpx.AsyncClient, farm: Farm, text: str) -> None:
    answer = await post_form(person, "/cpu-gpu/tags", rigs=text, add="a", apply="yes")
    assert answer.status_code == 200
    assert "Tags of 0 rigs" in answer.text


@pytest.mark.parametrize(
    ("form", "address"),
    [
        ({"rigs": "1-2", "back": ""}, "/commands/new?rigs=1%2C2"),
        ({"every": "yes", "back": ""}, "/commands/new?select=name%3A%2A"),
        ({"every": "yes", "back": "?select=rig&page=2"}, "/commands/new?select=rig"),
        ({"every": "yes", "back": "select=rig&health=waiting"}, "/commands/new?select=rig+health%3Awaiting"),
        ({"every": "yes", "back": "faults=yes"}, "/commands/new?rigs="),
    ],
)
async def test_chosen_rigs_are_handed_to_the_form_of_commands(
    person: httpx.AsyncClient, farm: Farm, form: dict[str, str], address: str
) -> None:
    for number in range(3):
        await farm.add(f"rig-{number}")
    answer = await post_form(person, "/cpu-gpu/command", **form)
    assert (answer.status_code, answer.headers["location"]) == (303, address)
    assert (await person.get(address)).status_code == 200
    html = (await person.get("/cpu-gpu")).text
    assert 'data-chosen="/cpu-gpu/command"' in html
    assert 'data-to="/commands/new?rigs={id}"' in html
    assert "command" not in (await person.get("/asics")).text.partition('id="chosen"')[2]


@on_sqlite
async def test_playbooks_of_chosen_rigs_are_paused_and_resumed(person: httpx.AsyncClient, farm: Farm) -> None:
    playbooks = Playbooks(farm)
    rigs = [await farm.add(f"rig-{number}") for number in range(3)]
    spec = await playbooks.spec(name="Main")
    ids = [(await playbooks.add(rig, spec))["id"] for rig in rigs[:2]]
    everything = f"{rigs[0].id}-{rigs[2].id}"
    dialog = (await post_form(person, "/cpu-gpu/pause", rigs=everything, back="sort=power")).text
    assert '<button class="primary">Pause 2 playbooks on 2 rigs</button>' in dialog
    assert "rig-0, rig-1</p>" in dialog
    done = await post_form(person, "/cpu-gpu/pause", rigs=everything, back="sort=power", apply="yes")
    assert (done.status_code, done.headers["location"]) == (303, "/cpu-gpu?sort=power")

    async def paused() -> list[bool]:
        return [(await farm.get(f"/api/v1/playbooks/{each}")).json()["paused"] for each in ids]

    assert await paused() == [True, True]
    assert "Nothing to pause" in (await post_form(person, "/cpu-gpu/pause", rigs=everything)).text
    assert "Resume 1 playbook on 1 rig?" in (await post_form(person, "/cpu-gpu/resume", rigs=str(rigs[1].id))).text
    await post_form(person, "/cpu-gpu/resume", rigs=str(rigs[1].id), apply="yes")
    assert await paused() == [True, False]


async def test_a_view_is_saved_for_everybody_and_removed(person: httpx.AsyncClient, farm: Farm) -> None:
    address = "/cpu-gpu?sort=power&select=tag%3Ahall%3A2&columns=temp%2Cip"
    dialog = (await person.get(f"{address}&page=2&dialog=view")).text
    back = re.search(r'name="back" value="([^"]*)"', dialog)
    assert back
    saved = await post_form(person, "/cpu-gpu/views", name="Hall 2", back=unescape(back[1]))
    assert (saved.status_code, saved.headers["location"]) == (303, address)
    html = (await person.get("/cpu-gpu")).text
    assert f'<li><a href="{escape(address)}">Hall 2</a></li>' in html
    assert "Hall 2" not in (await person.get("/asics")).text
    html = (await person.get(f"{address}&page=1")).text
    assert f'<a href="{escape(address)}" aria-current="true">Hall 2</a>' in html
    await post_form(person, "/cpu-gpu/views", name="HALL 2", back="sort=uptime")
    html = (await person.get("/cpu-gpu?sort=uptime")).text
    assert re.findall(r'aria-current="true">([^<]*)</a><a class="small"', html) == ["HALL 2"]
    number = re.search(r"dialog=view-remove&amp;view=(\d+)", html)
    assert number
    assert "Remove this view?" in (await person.get(f"/cpu-gpu?dialog=view-remove&view={number[1]}")).text
    for _ in range(2):
        gone = await post_form(person, f"/cpu-gpu/views/{number[1]}/remove", back="sort=uptime")
        assert (gone.status_code, gone.headers["location"]) == (303, "/cpu-gpu?sort=uptime")
    assert "HALL 2" not in (await person.get("/cpu-gpu?sort=uptime")).text


async def test_a_view_without_a_name_and_one_too_many_are_refused(person: httpx.AsyncClient, farm: Farm) -> None:
    answer = await post_form(person, "/asics/views", name=" ", back="")
    assert (answer.status_code, "Give the rig a name" in answer.text) == (422, False)
    for number in range(VIEWS_OF_A_KIND):
        assert (await post_form(person, "/asics/views", name=f"view {number}", back="")).status_code == 303
    answer = await post_form(person, "/asics/views", name="one more", back="")
    assert answer.status_code == 422
    assert "There are 50 views. Remove one first" in answer.text
    assert (await post_form(person, "/asics/views", name="View 7", back="sort=name")).status_code == 303


async def test_columns_are_chosen_and_stand_in_the_address(person: httpx.AsyncClient, farm: Farm) -> None:
    rig = await farm.add("rig-01")
    await farm.report(rig, a_log())
    usual = (await person.get("/cpu-gpu")).text
    assert '<div class="rigs rigs wide">' in usual
    assert 'data-figure="memory"' not in usual
    html = (await person.get("/cpu-gpu?column=none&column=temp&column=ip&select=rig")).text
    assert '<div class="rigs rigs no-fan no-power no-rejected no-uptime no-seen with-ip">' in html
    assert 'data-label="IP address" title="192.168.1.20">192.168.1.20</div>' in html
    assert 'href="/cpu-gpu?sort=power&amp;dir=desc&amp;select=rig&amp;columns=temp%2Cip"' in html
    assert "/live?select=rig&amp;columns=temp%2Cip&amp;view=rigs" in html
    assert '<input type="hidden" name="columns" value="temp,ip">' in html
    assert "no-seen" in (await person.get("/cpu-gpu?column=none")).text
    assert '<div class="rigs rigs wide">' in (await person.get("/cpu-gpu?columns=boards")).text
    assert "with-worker" in (await person.get("/asics?columns=boards,worker")).text
