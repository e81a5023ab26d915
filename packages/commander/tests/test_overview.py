"""The overview: its verdict, the worst rigs with their word and since when, totals, and what changed lately."""

import asyncio
import re
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from commander.db import open_database
from commander.history.events import NewEvent, RigEvent, note
from commander.overview.changes import Change, together
from commander.overview.views import EACH_RULE, RIGS_SHOWN, farm_view
from commander.registry.kinds import RigKind
from commander_farm import Farm, a_log, an_asic_log, on_sqlite, post_form
from live_farm import LiveFarm
from pages import page
from test_page_sockets import open_page, read_until

AT = datetime(2026, 11, 20, 3, 12, tzinfo=UTC)


def verdict(html: str) -> tuple[str, str]:
    """Returns the tone and the sentence."""
    found = re.search(r'<h2 class="state (\w+)">([^<]*)</h2>', html)
    assert found, html
    return found[1], found[2]


def troubles_shown(html: str) -> dict[str, list[str]]:
    """Returns the words of each rig in the list, in its order."""
    rows = re.findall(r'<li><a href="[^"]*">([^<]*)</a>\n<span class="words">(.*?)</span></li>', html, re.DOTALL)
    return {name: re.findall(r'<span class="state (?:bad|warning)">([^<]*)</span>', words) for name, words in rows}


async def test_a_farm_without_rigs_says_what_to_do_first(person: httpx.AsyncClient) -> None:
    html = await page(person, "/")
    assert "This farm has no rigs yet." in html
    assert 'href="/cpu-gpu?dialog=add"' in html
    assert "What changed lately" not in html


async def test_a_farm_that_mines_is_good_and_shows_the_totals_of_both_kinds(
    person: httpx.AsyncClient, farm: Farm
) -> None:
    for number in range(3):
        await farm.report(await farm.add(f"rig-{number}"), a_log())
    await farm.report_asic(await farm.add_asic("s19-01"), an_asic_log())
    html = await page(person, "/")
    assert verdict(html) == ("good", "All 4 rigs mining")
    assert troubles_shown(html) == {}
    rigs, asics = html[html.index('id="cpu-gpu-totals"') :], html[html.index('id="asic-totals"') :]
    assert re.search(r'data-total="alive">3 of 3<', rigs)
    assert re.search(r'data-total="hashrate-Monero" title="51.000 H/s">51.0 kH/s<', rigs)
    assert re.search(r'data-total="alive">1 of 1<', asics)


async def test_the_totals_of_a_kind_that_the_farm_lacks_are_left_out(person: httpx.AsyncClient, farm: Farm) -> None:
    await farm.report(await farm.add(), a_log())
    html = await page(person, "/")
    assert 'id="cpu-gpu-totals"' in html
    assert 'id="asic-totals"' not in html


async def test_rigs_that_wait_are_neither_good_nor_bad(person: httpx.AsyncClient, farm: Farm) -> None:
    await farm.add("rig-01")
    assert verdict(await page(person, "/")) == ("idle", "1 rig waits for the first report")
    await farm.report(await farm.add("rig-02"), a_log())
    html = await page(person, "/")
    assert verdict(html) == ("good", "The rig is mining")
    assert "1 rig waits for the first report." in html


async def test_an_unknown_hashrate_is_said_and_not_taken_for_none(person: httpx.AsyncClient, farm: Farm) -> None:
    await farm.report(await farm.add("rig-01"), a_log())
    await farm.report(await farm.add("rig-02"), a_log(hashrate_hs=None))
    html = await page(person, "/")
    assert verdict(html) == ("good", "1 of 2 rigs mining, nothing known to be wrong")
    assert "The hashrate of 1 rig is unknown." in html


async def test_each_ill_rig_stands_there_with_its_words_and_since_when(person: httpx.AsyncClient, farm: Farm) -> None:
    hot = a_log() | {"gpus": [{"pci_address": "0000:03:00.0", "temperature_c": 97.0, "fan_percent": 70.0}]}
    await farm.report(await farm.add("rig-hot"), a_log(60), hot)
    await farm.report(await farm.add("rig-idle"), a_log(60), a_log(hashrate_hs=0.0))
    twice = await farm.add("rig-twice")
    for run in ("a", "b", "a"):
        await farm.report(twice, a_log(), run=run)
    clock = await farm.add("rig-clock")
    await farm.report(clock, a_log(60))
    await farm.report(clock, a_log(-3600))
    await farm.report_asic(await farm.add_asic("s19-01"), an_asic_log(60), an_asic_log(faults=["temperature"]))
    await farm.report(await farm.add("rig-well"), a_log())
    html = await page(person, "/")
    assert verdict(html) == ("bad", "5 of 6 rigs need attention")
    words = troubles_shown(html)
    assert words["rig-hot"] == ["Too hot: GPU 03:00 97 °C"]
    assert words["rig-idle"] == ["Not mining"]
    assert words["rig-twice"] == ["Two sentries"]
    assert words["rig-clock"] == ["Wrong clock"]
    assert words["s19-01"]
    assert list(words) == ["rig-idle", "rig-hot", "s19-01", "rig-twice", "rig-clock"]
    assert html.count("since <time") == len(words)


async def test_what_people_did_stands_among_the_changes(person: httpx.AsyncClient, farm: Farm) -> None:
    await post_form(person, "/cpu-gpu", name="rig-07")
    html = await page(person, "/")
    assert "<b>Rig added</b>: rig-07" in html


async def test_what_happened_to_rigs_stands_among_the_changes(person: httpx.AsyncClient, farm: Farm) -> None:
    rig = await farm.add("rig-07")
    async with open_database(farm.settings.database_url) as database, database.transaction() as db:
        at = await database.now()
        await note(db, NewEvent(RigKind.CPU_GPU, rig.id, at, RigEvent.OFFLINE, "Went offline"))
        await note(db, NewEvent(RigKind.CPU_GPU, 999, at, RigEvent.OFFLINE, "Went offline"))
    html = await page(person, "/")
    assert f'<a href="/cpu-gpu/{rig.id}">rig-07</a> went offline' in html
    assert html.count("went offline") == 1


@on_sqlite
async def test_the_page_follows_the_rigs(served_farm: Farm) -> None:
    await served_farm.log_in()
    rig = await served_farm.add("rig-07")
    await served_farm.report(rig, a_log(60))
    async with asyncio.timeout(60), await open_page(served_farm, "/") as socket:
        await served_farm.report(rig, a_log(hashrate_hs=0.0))
        await read_until(socket, "1 of 1 rig needs attention")


def change(second: int, what: str, subject: str, who: str = "") -> Change:
    return Change(AT + timedelta(seconds=second), what, subject, "", who)


def test_the_same_change_of_many_rigs_within_a_minute_is_one() -> None:
    silent = [change(50 - number, "went offline", f"rig-{number:02}") for number in range(38)]
    (one,) = together(silent)
    assert (one.at, one.subject) == (AT + timedelta(seconds=50), "rig-00, rig-01, rig-02 and 35 more")


def test_changes_of_others_and_of_other_minutes_stay_apart() -> None:
    changes = [
        change(100, "tags changed", "rig-01", "owner"),
        change(99, "went offline", "rig-02"),
        change(98, "tags changed", "rig-03", "API key x"),
        change(97, "tags changed", "rig-04", "owner"),
        change(20, "tags changed", "rig-05", "owner"),
    ]
    assert [one.subject for one in together(changes)] == ["rig-01, rig-04", "rig-02", "rig-03", "rig-05"]


@pytest.fixture
def silent_farm() -> LiveFarm:
    """A hundred rigs that are offline, and one at 0 H/s."""
    farm = LiveFarm()
    farm.add(*(f"rig-{number:03}" for number in range(101)))
    for rig_id in range(1, 101):
        farm.report(rig_id)
    farm.silence(100)
    farm.report(101, hashrate_hs=0.0)
    return farm


def test_many_rigs_in_one_trouble_leave_room_for_the_others(silent_farm: LiveFarm) -> None:
    farm = farm_view({RigKind.CPU_GPU: silent_farm.views.live})
    assert farm.verdict == "101 of 101 rigs need attention"
    assert len(farm.rigs) == RIGS_SHOWN
    assert [word.text for word in farm.rigs[-1].words] == ["Not mining"]
    assert farm.more == [("81 rigs more", "/cpu-gpu")]
    assert EACH_RULE < RIGS_SHOWN
