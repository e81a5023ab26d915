"""The pages about CPU/GPU rigs, as a browser without script gets them."""

import re

import httpx
import pytest
from commander_farm import Farm, a_log, post_form


def row_names(html: str) -> list[str]:
    return re.findall(r'role="rowheader"><a [^>]*>([^<]*)</a>', html)


async def test_an_empty_farm_says_what_to_do_next(person: httpx.AsyncClient) -> None:
    html = (await person.get("/cpu-gpu")).text
    assert "Add your first rig" in html
    assert 'data-live="/live?view=rigs" data-seq="' in html


async def test_a_page_has_no_inline_script_or_style(person: httpx.AsyncClient, farm: Farm) -> None:
    rig = await farm.add()
    await farm.report(rig, a_log())
    for path in ("/cpu-gpu", f"/cpu-gpu/{rig.id}", "/settings", "/cpu-gpu?dialog=add"):
        html = (await person.get(path)).text
        assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", html)


async def test_a_row_shows_figures_where_scripts_look_for_them(person: httpx.AsyncClient, farm: Farm) -> None:
    rig = await farm.add("rig-07")
    await farm.report(rig, a_log())
    html = (await person.get("/cpu-gpu")).text
    row = html[html.index(f'id="rig-{rig.id}"') :]
    for name, text in {
        "power": "200 W",
        "temperature": "64 °C",
        "fan": "70 %",
        "uptime": "1 d",
        "rejected": "1.0 %",
    }.items():
        assert re.search(rf'data-figure="{name}" title="[^"]+">{text}<', row)
    assert "17.0 kH/s" in row[row.index('data-figure="hashrate"') : row.index('data-figure="temperature"')]
    assert 'data-total="alive">1 of 1<' in html
    assert re.search(r'data-total="hashrate-Monero" title="17.000 H/s">17.0 kH/s<', html)


async def test_adding_answers_with_the_rig_s_page_and_its_token_once(person: httpx.AsyncClient) -> None:
    answer = await post_form(person, "/cpu-gpu", name="rig-07")
    assert answer.status_code == 200
    token = re.search(r'id="enrol-token"[^>]*>(mw_rig_[0-9a-f]{64})<', answer.text)
    assert token
    for command in ("cpu-gpu-sentry enroll --url ", "cpu-gpu-sentry.exe enroll --url "):
        assert command in answer.text
    assert 'id="enrol-first" data-once' in answer.text
    url = re.search(r'data-url="(/cpu-gpu/\d+)"', answer.text)
    assert url
    again = (await person.get(url[1])).text
    assert token[1] not in again
    assert "Waiting for its sentry" in again


@pytest.mark.parametrize(
    ("name", "words"),
    [("", "Give the rig a name"), ("x" * 1000, "64 characters at most"), ("<script>", "begins with a letter")],
)
async def test_a_bad_name_comes_back_with_its_error(person: httpx.AsyncClient, name: str, words: str) -> None:
    answer = await post_form(person, "/cpu-gpu", name=name)
    assert answer.status_code == 422
    assert "<dialog open" in answer.text
    assert 'aria-describedby="error-name hint-name" aria-invalid="true"' in answer.text
    assert words in answer.text[answer.text.index('id="error-name"') :]
    assert f'value="{name.replace("<", "&lt;").replace(">", "&gt;")}"' in answer.text
    assert 'data-url="/cpu-gpu?dialog=add"' in answer.text


async def test_a_taken_name_comes_back_on_the_page_it_was_given_on(person: httpx.AsyncClient, farm: Farm) -> None:
    first, _ = await farm.add("rig-01"), await farm.add("rig-02")
    for suffix, heading in (("?from=index", "CPU/GPU rigs"), ("", "rig-01")):
        answer = await post_form(person, f"/cpu-gpu/{first.id}/rename{suffix}", name="RIG-02")
        assert answer.status_code == 422
        assert "Another rig is called RIG-02" in answer.text
        assert f'<h1 tabindex="-1">{heading}</h1>' in answer.text
    assert row_names((await person.get("/cpu-gpu")).text) == ["rig-01", "rig-02"]


async def test_renaming_goes_back_to_where_it_began(person: httpx.AsyncClient, farm: Farm) -> None:
    rig = await farm.add("rig-01")
    answer = await post_form(person, f"/cpu-gpu/{rig.id}/rename?from=index", name="rig-11")
    assert (answer.status_code, answer.headers["location"]) == (303, "/cpu-gpu")
    answer = await post_form(person, f"/cpu-gpu/{rig.id}/rename", name="rig-12")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/cpu-gpu/{rig.id}")
    assert "rig-12" in (await person.get(f"/cpu-gpu/{rig.id}")).text


async def test_removing_says_what_will_happen_and_what_has(person: httpx.AsyncClient, farm: Farm) -> None:
    rig = await farm.add("rig-01")
    dialog = (await person.get(f"/cpu-gpu?dialog=remove&rig={rig.id}")).text
    assert "Its sentry will stop mining" in dialog
    answer = await post_form(person, f"/cpu-gpu/{rig.id}/remove")
    assert (answer.status_code, answer.headers["location"]) == (303, "/cpu-gpu?removed=rig-01")
    assert "rig-01 was removed." in (await person.get("/cpu-gpu?removed=rig-01")).text


async def test_a_removed_rig_s_page_says_so(person: httpx.AsyncClient) -> None:
    for answer in (await person.get("/cpu-gpu/99"), await post_form(person, "/cpu-gpu/99/rename", name="rig-1")):
        assert answer.status_code == 404
        assert "it may have been removed" in answer.text
        assert 'href="/cpu-gpu"' in answer.text


async def test_a_new_token_kills_the_old_one(person: httpx.AsyncClient, farm: Farm) -> None:
    rig = await farm.add()
    await farm.report(rig, a_log())
    assert "The old token stops working immediately" in (await person.get(f"/cpu-gpu/{rig.id}?dialog=token")).text
    answer = await post_form(person, f"/cpu-gpu/{rig.id}/token")
    assert answer.status_code == 200
    assert 'id="enrol-again" data-once' in answer.text
    assert (await farm.report(rig, a_log())).status_code == 401


async def test_names_are_sorted_as_people_count(person: httpx.AsyncClient, farm: Farm) -> None:
    for name in ("rig-10", "rig-9", "Rig-1"):
        await farm.add(name)
    assert row_names((await person.get("/cpu-gpu")).text) == ["Rig-1", "rig-9", "rig-10"]
    assert row_names((await person.get("/cpu-gpu?sort=name")).text) == ["Rig-1", "rig-9", "rig-10"]
    html = (await person.get("/cpu-gpu?sort=name&dir=desc")).text
    assert row_names(html) == ["rig-10", "rig-9", "Rig-1"]
    assert 'aria-sort="descending"' in html


async def test_sorted_by_a_figure_the_unknown_come_last(person: httpx.AsyncClient, farm: Farm) -> None:
    low, high, _ = await farm.add("low"), await farm.add("high"), await farm.add("a-new-one")
    await farm.report(low, a_log(power_w=100))
    await farm.report(high, a_log(power_w=300))
    assert row_names((await person.get("/cpu-gpu?sort=power&dir=desc")).text) == ["high", "low", "a-new-one"]
    assert row_names((await person.get("/cpu-gpu?sort=power")).text) == ["low", "high", "a-new-one"]
    assert row_names((await person.get("/cpu-gpu?sort=health")).text) == ["a-new-one", "high", "low"]


async def test_the_worst_come_first_and_then_the_names(person: httpx.AsyncClient, farm: Farm) -> None:
    well, ill, _ = await farm.add("a-well"), await farm.add("b-ill"), await farm.add("c-waiting")
    also_well = await farm.add("a-1")
    for rig in (well, also_well):
        await farm.report(rig, a_log())
    await farm.report(ill, a_log(hashrate_hs=0.0))
    html = (await person.get("/cpu-gpu")).text
    assert row_names(html) == ["b-ill", "c-waiting", "a-1", "a-well"]
    assert "sort=name" in html


async def test_search_and_filter_stand_in_the_address(person: httpx.AsyncClient, farm: Farm) -> None:
    rig, _ = await farm.add("shed-01"), await farm.add("cellar-01")
    await farm.report(rig, a_log())
    html = (await person.get("/cpu-gpu?q=SHED&sort=power")).text
    assert row_names(html) == ["shed-01"]
    assert '<input type="hidden" name="sort" value="power">' in html
    assert "/live?sort=power&amp;select=SHED&amp;view=rigs" in html
    assert row_names((await person.get("/cpu-gpu?health=waiting")).text) == ["cellar-01"]
    assert "No rig matches “garage”." in (await person.get("/cpu-gpu?q=garage")).text


@pytest.mark.parametrize("query", ["page=x", "page=-1", "sort=colour", "health=ill", "page=99999999999"])
async def test_a_mistyped_address_shows_the_usual_index(person: httpx.AsyncClient, farm: Farm, query: str) -> None:
    await farm.add()
    answer = await person.get(f"/cpu-gpu?{query}")
    assert answer.status_code == 200
    assert row_names(answer.text) == ["rig-01"]


async def test_a_rig_s_page_shows_devices_software_and_machine(person: httpx.AsyncClient, farm: Farm) -> None:
    rig = await farm.add("rig-01")
    gpu = {"pci_address": "0000:03:00.0", "vendor": "NVIDIA", "name": "GeForce RTX 3080", "memory_bytes": 10737418240}
    specs = {"hostname": "rig01", "cpu": {"name": "AMD Ryzen 9", "cores": 16}, "gpus": [gpu], "sentry_version": "0.1.0"}
    await farm.client.put("/api/v1/sentry/specs", json=specs, headers=rig.auth)
    await farm.report(rig, a_log())
    html = (await person.get(f"/cpu-gpu/{rig.id}")).text
    for words in (
        "NVIDIA GeForce RTX 3080",
        "0000:03:00.0",
        "AMD Ryzen 9, 16 cores",
        "xmrig",
        "99 accepted, 1 rejected",
        "CPU, 99 % load",
    ):
        assert words in html
    assert "NVIDIA GeForce RTX 3080, 10.0 GiB" in html


async def test_a_wallet_is_shortened_and_whole_on_hover(person: httpx.AsyncClient, farm: Farm) -> None:
    rig, log = await farm.add(), a_log()
    wallet = "49gTkcn9VPCcWzSxVhbhtv4G6YEqzZ1XgjW2tFvP8Q7p3T1y"
    miners = [{"software": "xmrig", "state": "failed", "algorithms": [{"algorithm": "rx/0", "user": wallet}]}]
    await farm.report(rig, log | {"miners": miners})
    html = (await person.get(f"/cpu-gpu/{rig.id}")).text
    assert f'title="{wallet}">49gTkcn9…8Q7p3T1y<' in html
    assert "Failed" in html


async def test_two_miners_of_one_software_are_told_apart_and_say_why_they_give_no_figures(
    person: httpx.AsyncClient, farm: Farm
) -> None:
    rig = await farm.add()
    works = [{"algorithm": "rx/0", "coin": "Monero", "hashrate_hs": 5000}]
    miners: list[dict[str, object]] = [
        {"software": "xmrig", "state": "mining", "api_port": 18080, "algorithms": works},
        {
            "software": "xmrig",
            "state": "api_silent",
            "api_port": 18081,
            "trouble": "access_denied",
            "reason": "A <why>.",
        },
        {"software": "trex", "state": "starting", "api_port": 4067, "trouble": "no_job", "reason": "No work."},
        {"software": "gminer", "state": "api_silent", "trouble": "of a newer sentry"},
    ]
    await farm.report(rig, a_log() | {"miners": miners})
    html = (await person.get(f"/cpu-gpu/{rig.id}")).text
    for words in (
        "xmrig on port 18080",
        "xmrig on port 18081",
        "Wants a token",
        "A &lt;why&gt;.",
        "No job from the pool",
    ):
        assert words in html, words
    assert "trex on port" not in html
    assert "API silent" in html


async def test_two_sentries_with_one_token_are_shown(person: httpx.AsyncClient, farm: Farm) -> None:
    rig = await farm.add()
    for run in ("a", "b", "a"):
        await farm.report(rig, a_log(), run=run)
    assert "Two sentries" in (await person.get("/cpu-gpu")).text
    assert "Give each rig a token of its own" in (await person.get(f"/cpu-gpu/{rig.id}")).text


async def test_what_a_sentry_says_is_text_not_markup(person: httpx.AsyncClient, farm: Farm) -> None:
    rig = await farm.add()
    attack = "<img src=x onerror=alert(1)>"
    specs = {"hostname": attack, "gpus": [{"pci_address": attack, "name": attack}]}
    await farm.client.put("/api/v1/sentry/specs", json=specs, headers=rig.auth)
    miners = [
        {
            "software": attack,
            "version": attack,
            "state": "mining",
            "algorithms": [{"algorithm": attack, "hashrate_hs": 1, "pool": attack}],
        }
    ]
    await farm.report(rig, a_log() | {"miners": miners})
    for path in (f"/cpu-gpu/{rig.id}", "/cpu-gpu"):
        assert "<img src=x" not in (await person.get(path)).text


async def test_a_thousand_rigs_are_paged_by_a_hundred(person: httpx.AsyncClient, farm: Farm) -> None:
    for number in range(120):
        await farm.add(f"rig-{number:03}")
    first = (await person.get("/cpu-gpu")).text
    assert (len(row_names(first)), "1–100 of 120 rigs" in first) == (100, True)
    second = (await person.get("/cpu-gpu?page=2")).text
    assert row_names(second)[0] == "rig-100"
    assert row_names((await person.get("/cpu-gpu?page=7")).text) == row_names(second)
    assert len(row_names((await person.get("/cpu-gpu?per=all")).text)) == 120
