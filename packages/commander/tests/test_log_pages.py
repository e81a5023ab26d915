"""A rig's log as people see it without any script: ranges, the table and its pages, the file."""

import csv
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import httpx
import msgspec
import pytest
from commander.db import open_database
from commander.registry.kinds import RigKind
from commander.rig_pages.csv import csv_of_logs, csv_of_steps
from commander.rig_pages.log_query import LogQuery, Range, Span, last
from commander.settings import Settings
from commander_farm import Farm, Rig, a_log, an_asic_log, running


@pytest.fixture
async def person(farm: Farm) -> httpx.AsyncClient:
    """The farm's client, logged in."""
    await farm.log_in()
    return farm.client


async def reported(farm: Farm, *seconds_ago: float, power_w: float = 200.0) -> Rig:
    rig = await farm.add("rig-07")
    await farm.report(rig, *(a_log(seconds, power_w=power_w) for seconds in seconds_ago))
    return rig


def at(*, hours: float) -> str:
    """Returns the time so many hours ago, as it stands in a page's address."""
    return quote((datetime.now(UTC) - timedelta(hours=hours)).isoformat())


def rows_of(html: str) -> list[list[str]]:
    """The table's rows as texts, the time left out."""
    body = html[html.index("<tbody>") : html.index("</tbody>")]
    return [re.findall(r"<td[^>]*>([^<]*)</td>", row) for row in body.split("</tr>")[:-1]]


def columns_of(html: str) -> list[str]:
    table = html[html.index('id="log-table"') :]
    return re.findall(r'<th scope="col"[^>]*>([^<]*)</th>', table)


def links_of(html: str) -> dict[str, str]:
    found = re.findall(r'<a class="button" href="([^"]*)"[^>]*>(Newest|Older)</a>', html)
    return {label: href.replace("&amp;", "&") for href, label in found}


async def test_the_log_page_shows_what_was_reported(farm: Farm, person: httpx.AsyncClient) -> None:
    rig = await reported(farm, 120, 60, 5)
    html = (await person.get(f"/cpu-gpu/{rig.id}/log")).text
    assert f'History of <a href="/cpu-gpu/{rig.id}">rig-07</a>' in html
    assert columns_of(html)[:3] == ["Time", "Hashrate, Monero", "Power"]
    rows = rows_of(html)
    assert (len(rows), rows[0][:2]) == (3, ["17.0 kH/s", "200 W"])
    for label in ("1 h", "24 h", "7 d", "90 d", "1 y"):
        assert f">{label}</a>" in html
    assert 'aria-current="true">24 h</a>' in html


async def test_charts_say_where_their_figures_are(farm: Farm, person: httpx.AsyncClient) -> None:
    rig = await reported(farm, 5)
    for path in (f"/cpu-gpu/{rig.id}", f"/cpu-gpu/{rig.id}/log"):
        html = (await person.get(path)).text
        assert f'data-history="/api/v1/cpu-gpu-rigs/{rig.id}/history"' in html
        assert 'data-chart="hashrate-Monero"' in html
        assert 'data-chart="fan-speed"' not in html, "nobody tells turns of a fan here"
        assert re.search(r'<data id="chart-now" value="{&#34;at&#34;', html)
        assert re.search(r'<script type="module" src="/assets/charts-\w+\.js">', html)
    html = (await person.get("/cpu-gpu")).text
    assert 'data-history="/api/v1/cpu-gpu-stats/history"' in html
    assert "/assets/charts-" not in (await person.get("/settings")).text


async def test_a_rig_that_waits_has_no_charts_and_no_rows(farm: Farm, person: httpx.AsyncClient) -> None:
    rig = await farm.add()
    html = (await person.get(f"/cpu-gpu/{rig.id}/log")).text
    assert "No log has come from this rig so far" in html
    assert "Nothing was reported in this time" in html
    assert "data-chart=" not in html
    assert 'id="chart-now" value="" hidden' in html


async def test_a_removed_rig_has_no_log(farm: Farm, person: httpx.AsyncClient) -> None:
    for path in ("/cpu-gpu/99/log", "/cpu-gpu/99/log.csv"):
        answer = await person.get(path)
        assert answer.status_code == 404
        assert "it may have been removed" in answer.text


async def test_the_address_holds_the_range(farm: Farm, person: httpx.AsyncClient) -> None:
    rig = await reported(farm, 3 * 3600, 5)
    page = f"/cpu-gpu/{rig.id}/log"
    assert len(rows_of((await person.get(f"{page}?range=1h")).text)) == 1
    assert len(rows_of((await person.get(f"{page}?range=7d")).text)) == 2
    html = (await person.get(f"{page}?from={at(hours=4)}&to={at(hours=2)}")).text
    assert len(rows_of(html)) == 1
    assert 'aria-current="true">24 h' not in html
    for nothing in ("from=2001-01-01&to=2001-01-02", "to=0001-01-01"):
        assert "Nothing was reported" in (await person.get(f"{page}?{nothing}")).text
    assert 'aria-current="true">24 h' in (await person.get(f"{page}?range=fortnight")).text


WRONG = [
    ("from=2026-03-02T10:00&to=2026-03-01T10:00", "to", "ends before it begins", "2026-03-01T10:00"),
    ("from=yesterday", "from", "“yesterday” is not a time", "yesterday"),
    ("from=2999-01-01T00:00&to=2999-01-02T00:00", "from", "in the future", "2999-01-01T00:00"),
    ("to=%3Cscript%3E", "to", "is not a time", "&lt;script&gt;"),
]


@pytest.mark.parametrize(("query", "field", "words", "kept"), WRONG, ids=[wrong[0] for wrong in WRONG])
async def test_a_wrong_range_is_told_beside_its_field(
    farm: Farm, person: httpx.AsyncClient, query: str, field: str, words: str, kept: str
) -> None:
    rig = await reported(farm, 5)
    answer = await person.get(f"/cpu-gpu/{rig.id}/log?{query}")
    assert answer.status_code == 422
    assert words in answer.text[answer.text.index(f'id="error-{field}"') :]
    assert f'name="{field}" type="datetime-local" value="{kept}" data-utc aria-invalid="true"' in answer.text
    assert 'id="log-table"' not in answer.text
    assert (await person.get(f"/cpu-gpu/{rig.id}/log.csv?{query}")).status_code == 422


async def test_logs_are_paged_by_a_hundred_newest_first(farm: Farm, person: httpx.AsyncClient) -> None:
    rig = await farm.add()
    await farm.report(rig, *(a_log(10 * back, power_w=100.0 + back) for back in range(1, 251)))
    powers: list[str] = []
    address, pages = f"/cpu-gpu/{rig.id}/log?figures=power", 0
    while address:
        html = (await person.get(address)).text
        powers += [row[0] for row in rows_of(html)]
        assert ("Newest" in links_of(html)) is (pages > 0)
        address, pages = links_of(html).get("Older", ""), pages + 1
    assert pages == 3
    assert powers == [f"{100 + back} W" for back in range(1, 251)]


async def test_figures_and_devices_are_chosen(farm: Farm, person: httpx.AsyncClient) -> None:
    rig = await reported(farm, 5)
    html = (await person.get(f"/cpu-gpu/{rig.id}/log?figures=power&figures=temperature&devices=0000:03:00.0")).text
    assert columns_of(html) == ["Time", "Power, GPU 03:00", "Temperature, GPU 03:00"]
    assert 'data-figures="power,temperature"' in html
    assert 'value="power" checked' in html
    assert 'value="hashrate">' in html
    form = html[html.index('id="range-form"') : html.index('id="choices"')]
    assert '<input type="hidden" name="figures" value="power">' in form


@pytest.mark.parametrize(
    "query", ["page=x", "before=-1", "before=x", "figures=colour", "devices=" + "x" * 99, "page=0"]
)
async def test_a_mistyped_address_shows_the_usual_log(farm: Farm, person: httpx.AsyncClient, query: str) -> None:
    rig = await reported(farm, 5)
    answer = await person.get(f"/cpu-gpu/{rig.id}/log?{query}")
    assert answer.status_code == 200
    assert rows_of(answer.text)[0][:2] == ["17.0 kH/s", "200 W"]


async def test_the_file_holds_every_log_from_the_oldest_on(farm: Farm, person: httpx.AsyncClient) -> None:
    rig = await farm.add("rig 07: ä")
    await farm.report(rig, *(a_log(60 * back, power_w=100.0 + back) for back in range(1, 301)))
    answer = await person.get(f"/cpu-gpu/{rig.id}/log.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="rig_07-log.csv"'
    header, *lines = csv.reader(answer.text.splitlines())
    assert header[0] == "taken_at"
    power = header.index("power_w")
    assert [float(line[power]) for line in lines] == [100.0 + back for back in range(300, 0, -1)]
    times = [datetime.fromisoformat(line[0]) for line in lines]
    assert times == sorted(times)
    assert "hashrate_hs Monero rx/0" in header


async def test_the_file_is_written_an_hour_of_logs_at_a_time(farm: Farm, person: httpx.AsyncClient) -> None:
    rig = await farm.add()
    await farm.report(rig, *(a_log(30 * back) for back in range(1, 600)))
    now = datetime.now(UTC)
    query = LogQuery(last(Span.DAY, now=now))
    async with open_database(farm.settings.database_url) as database:
        lines = csv_of_logs(database, RigKind.CPU_GPU, rig.id, query, until=now)
        parts = [part.count("\n") async for part in lines]
    assert sum(parts) == 600
    assert max(parts) <= 121


async def test_what_is_unknown_is_an_empty_cell(farm: Farm, person: httpx.AsyncClient) -> None:
    rig = await farm.add()
    await farm.report(rig, a_log(20, power_w=None), a_log(5))
    lines = list(csv.reader((await person.get(f"/cpu-gpu/{rig.id}/log.csv?figures=power")).text.splitlines()))
    assert [line[1:] for line in lines] == [["power_w"], [""], ["200"]]
    rows = rows_of((await person.get(f"/cpu-gpu/{rig.id}/log?figures=power")).text)
    assert [row[0] for row in rows] == ["200 W", "–"]


async def test_older_than_logs_are_kept_there_are_means(settings: Settings) -> None:
    async with running(msgspec.structs.replace(settings, raw_kept_h=1.0)) as client:
        farm = Farm(client, settings)
        await farm.make_key()
        await farm.log_in()
        rig = await reported(farm, 7210, 7200, 7190, 30)
        html = (await client.get(f"/cpu-gpu/{rig.id}/log?range=24h&figures=power")).text
        assert "Each row is the mean of 1 min" in html
        assert {row[0] for row in rows_of(html)} == {"200 W"}
        lines = list(csv.reader((await client.get(f"/cpu-gpu/{rig.id}/log.csv?figures=power")).text.splitlines()))
        assert lines[0] == ["time", "step_s", "power_w mean", "power_w min", "power_w max"]
        assert {tuple(line[1:]) for line in lines[1:]} == {("60", "200", "200", "200")}


async def test_a_file_of_means_has_one_step_however_little_of_a_day_it_covers(
    farm: Farm, person: httpx.AsyncClient
) -> None:
    now = datetime.now(UTC)
    midnight = (now - timedelta(hours=2)).replace(hour=0, minute=0, second=0, microsecond=0)
    since, until = midnight - timedelta(minutes=30), midnight + timedelta(minutes=20)
    rig = await reported(farm, *((now - midnight).total_seconds() + apart for apart in (900, 880, -880, -890)))
    query = LogQuery(Range(since, until))
    async with open_database(farm.settings.database_url) as database:
        text = "".join([part async for part in csv_of_steps(database, RigKind.CPU_GPU, rig.id, query, until=until)])
    header, *lines = csv.reader(text.splitlines())
    assert [line[header.index("step_s")] for line in lines] == ["60", "60"]


async def test_an_asic_has_a_log_too(farm: Farm, person: httpx.AsyncClient) -> None:
    asic = await farm.add_asic("s19-01")
    await farm.report_asic(asic, *(an_asic_log(60 * ago) for ago in range(5, 0, -1)))
    html = (await person.get(f"/asics/{asic.id}/log?range=1h")).text
    assert f'History of <a href="/asics/{asic.id}">s19-01</a>' in html
    assert f'data-live="/live?view=asic-log&amp;rig={asic.id}"' in html
    assert columns_of(html)[:4] == ["Time", "Hashrate, Bitcoin", "Power", "Temperature"]
    assert [row[0] for row in rows_of(html)] == ["110 TH/s"] * 5
    html = (await person.get(f"/asics/{asic.id}/log?figures=fan-speed&devices=fan1&devices=total")).text
    assert columns_of(html) == ["Time", "Fan speed", "Fan speed, Fan 1"]
    lines = list(csv.reader((await person.get(f"/asics/{asic.id}/log.csv?figures=hashrate")).text.splitlines()))
    assert lines[0] == ["taken_at", "hashrate_hs Bitcoin SHA-256"]
    assert [line[1] for line in lines[1:]] == ["110000000000000"] * 5
    html = (await person.get(f"/asics/{asic.id}")).text
    assert f'data-history="/api/v1/asic-rigs/{asic.id}/history"' in html
    assert 'data-history="/api/v1/asic-stats/history"' in (await person.get("/asics")).text


async def test_a_log_page_needs_somebody_who_is_logged_in(farm: Farm) -> None:
    answer = await farm.client.get("/cpu-gpu/1/log?range=7d", follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?next=%2Fcpu-gpu%2F1%2Flog%3Frange%3D7d"
