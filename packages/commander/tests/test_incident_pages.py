"""The pages of incidents as a browser without script gets them, the badge on all pages, and what follows live."""

import asyncio
import re
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from commander.db import open_database
from commander.incidents.domain import COMMANDER, ConditionKey, InCommon
from commander.incidents.page_store import shown_conditions
from commander.incidents.views import CLOSED_A_PAGE, check_incident, check_list
from commander.readings.severity import Severity
from commander_farm import Farm, a_log, on_sqlite, running
from incident_rows import a_condition, an_incident, insert
from pages import page, post
from test_page_sockets import open_page, read_until

pytestmark = pytest.mark.usefixtures("no_rounds")
NOW = datetime.now(UTC).replace(microsecond=0)
SWITCH = InCommon(group="tag switch:sw-3", failing=38, members=40, others_failing=0, others=210)


async def add(farm: Farm, *conditions: object, at: datetime = NOW, **changes: object) -> int:
    async with open_database(farm.settings.database_url) as database:
        return await insert(database, an_incident(at, **changes), *conditions)  # type: ignore[arg-type]


def badge(html: str) -> str:
    found = re.search(r'<b id="open-incidents" class="[^"]*" data-total="incidents"[^>]*>(\d+)</b>', html)
    assert found
    return found[1]


async def test_without_incidents_the_page_says_so(person: httpx.AsyncClient) -> None:
    html = await page(person, "/incidents")
    assert "No incident is open." in html
    assert "No incident is closed yet." in html
    assert badge(html) == "0"
    assert "<title>Incidents · Minewarden</title>" in html


async def test_an_open_incident_has_its_rigs_what_is_common_and_its_buttons(
    person: httpx.AsyncClient, farm: Farm
) -> None:
    incident = await add(farm, a_condition(7, NOW), a_condition(8, NOW, name="rig-08", value="98 °C"), in_common=SWITCH)
    html = await page(person, "/incidents")
    card = html[html.index(f'id="incident-{incident}"') : html.index("</article>")]
    assert "2 rigs are too hot" in card
    assert '<span class="state bad">Critical</span>' in card
    assert "In common: tag switch:sw-3 (38 of its 40 rigs; 0 of 210 others)." in card
    assert '<a href="/cpu-gpu/7">rig-07</a> <small class="muted">GPU 03:00: 97 °C</small>' in card
    assert [label for label in ("Acknowledge", "Mute", "Unmute") if f"<button>{label}<" in card] == ["Mute"]
    assert '<button class="primary">Acknowledge<' in card


async def test_a_value_that_all_rigs_have_stands_there_once(person: httpx.AsyncClient, farm: Farm) -> None:
    silent = [a_condition(number, NOW, name=f"rig-{number}", value="no report for 3 min") for number in range(3)]
    await add(farm, *silent)
    html = await page(person, "/incidents")
    assert html.count("no report for 3 min") == 1
    assert "(each: " in html


async def test_it_is_acknowledged_muted_and_unmuted(person: httpx.AsyncClient, farm: Farm) -> None:
    path = f"/incidents/{await add(farm, a_condition(7, NOW))}"
    asked_at = datetime.now(UTC)
    for step in ("acknowledge", "mute"):
        answer = await post(person, f"{path}/{step}", back="/", minutes=480)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
    answered_at = datetime.now(UTC)
    html = await page(person, path)
    assert "Acknowledge<" not in html
    assert re.search(r"<dt>Acknowledged</dt><dd><time [^>]*>[^<]*</time> by a browser at [^<]*</dd>", html)
    muted = re.search(r'<dt>Muted</dt><dd>Until <time datetime="([^"]*)"', html)
    assert muted
    assert asked_at <= datetime.fromisoformat(muted[1]) - timedelta(minutes=480) <= answered_at
    await post(person, f"{path}/unmute")
    assert "<dt>Muted</dt>" not in await page(person, path)


@pytest.mark.parametrize("back", ["https://elsewhere.example/", "//elsewhere.example", "/settings", ""])
async def test_a_form_leads_back_only_to_pages_of_incidents(person: httpx.AsyncClient, farm: Farm, back: str) -> None:
    path = f"/incidents/{await add(farm)}"
    assert (await post(person, f"{path}/mute", back=back, minutes="x")).headers["location"] == path


async def test_a_form_about_a_closed_incident_changes_nothing(person: httpx.AsyncClient, farm: Farm) -> None:
    path = f"/incidents/{await add(farm, closed_at=NOW)}"
    for step in ("acknowledge", "mute", "unmute"):
        assert (await post(person, f"{path}/{step}")).status_code == 303
    assert "Acknowledged</dt>" not in await page(person, path)


async def test_closed_incidents_come_in_pages(person: httpx.AsyncClient, farm: Farm) -> None:
    async with open_database(farm.settings.database_url) as database:
        for number in range(CLOSED_A_PAGE + 1):
            await insert(database, an_incident(NOW, title=f"trouble {number}", closed_at=NOW))
    html = await page(person, "/incidents")
    assert len(re.findall(r">trouble \d+<", html)) == CLOSED_A_PAGE
    older = re.search(r'href="([^"]*)" rel="next"', html)
    assert older
    assert re.findall(r">trouble \d+<", await page(person, older[1])) == [">trouble 0<"]


async def test_a_rig_has_a_list_of_its_own(person: httpx.AsyncClient, farm: Farm) -> None:
    rig = await farm.add("rig-07")
    await farm.report(rig, a_log())
    await add(farm, a_condition(rig.id, NOW), title="Its own")
    await add(farm, a_condition(99, NOW), title="Of another")
    html = await page(person, f"/incidents?rig=cpu-gpu-{rig.id}")
    assert "Its own" in html
    assert "Of another" not in html
    assert f'Only those of <a href="/cpu-gpu/{rig.id}">rig-07</a>' in html
    assert f'href="/incidents?rig=cpu-gpu-{rig.id}"' in await page(person, f"/cpu-gpu/{rig.id}")
    assert "Of another" in await page(person, "/incidents?rig=car-7")


async def test_an_incident_of_the_commander_links_to_no_rig(person: httpx.AsyncClient, farm: Farm) -> None:
    own = a_condition(0, NOW, name="commander", key=ConditionKey(COMMANDER, 0, "disk", ""), value="97 % full")
    html = await page(person, f"/incidents/{await add(farm, own, title='The disk is nearly full')}")
    assert '<th scope="row">commander</th>' in html


async def test_an_address_without_an_incident_is_not_found(person: httpx.AsyncClient) -> None:
    assert (await person.get("/incidents/999")).status_code == 404


async def test_of_ten_thousand_rigs_a_card_reads_a_few(farm: Farm) -> None:
    async with open_database(farm.settings.database_url) as database:
        many = [a_condition(number, NOW, name=f"rig-{number:03}") for number in range(60)]
        incident = await insert(database, an_incident(NOW), *many)
        async with database.reading() as db:
            found = (await shown_conditions(db, [incident], each_most=8))[incident]
    assert [each.name for each in found.first] == [f"rig-{number:03}" for number in range(8)]
    assert found.total == 60


async def test_open_incidents_come_first_on_the_overview(person: httpx.AsyncClient, farm: Farm) -> None:
    await farm.report(await farm.add("rig-07"), a_log())
    await add(farm, a_condition(7, NOW), title="A warning", severity=Severity.WARNING)
    await add(farm, a_condition(8, NOW), title="Something bad")
    await add(farm, a_condition(9, NOW), title="Muted", muted_until=NOW + timedelta(hours=1))
    html = await page(person, "/")
    places = [html.index(title) for title in ("Something bad", "A warning", "Muted")]
    assert places == sorted(places)
    assert places[-1] < html.index("All CPU/GPU rigs" if "All CPU/GPU rigs" in html else 'id="overview-totals"')


@on_sqlite
async def test_every_page_shows_how_many_are_open(farm: Farm) -> None:
    await add(farm)
    await add(farm, closed_at=NOW)
    async with running(farm.settings) as client:
        again = Farm(client, farm.settings, farm.auth)
        await again.log_in()
        for path in ("/", "/cpu-gpu", "/asics", "/settings", "/incidents"):
            html = await page(client, path)
            assert badge(html) == "1"
            assert "<title>(1) " in html
            assert re.search(r'rel="icon" href="/assets/icon-alarm-', html)
        assert badge((await client.get("/nowhere")).text) == "1"


@on_sqlite
async def test_open_pages_follow(served_farm: Farm) -> None:
    await served_farm.log_in()
    incident = await add(served_farm, a_condition(7, NOW))
    path = f"/api/v1/incidents/{incident}/acknowledge"
    async with asyncio.timeout(30), await open_page(served_farm, "/incidents") as socket:
        assert (await served_farm.client.post(path, headers=served_farm.auth)).status_code == 204
        await read_until(socket, "Acknowledged by API key tests")
    cookie = f"minewarden_session={served_farm.client.cookies['minewarden_session']}"
    async with asyncio.timeout(30), served_farm.socket("/live?view=quiet&badge=1", Cookie=cookie) as socket:
        await add(served_farm)
        mute = f"/api/v1/incidents/{incident}/mute"
        await served_farm.client.post(mute, json={"minutes": 5}, headers=served_farm.auth)
        await read_until(socket, 'data-total="incidents" title="Open incidents">2<')


@pytest.mark.parametrize("query", [{"rig": "car-7"}, {"rig": "cpu-gpu-x"}, {"before": "x"}])
def test_a_query_that_no_page_has_is_refused(query: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        check_list(query)
    with pytest.raises(ValueError, match=r".+"):
        check_incident({"incident": "x"})
