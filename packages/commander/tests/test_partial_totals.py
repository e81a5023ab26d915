"""Power and efficiency cover the rigs that report power: pages, API and Prometheus say how many these are."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from commander.history.query import farm_history
from commander.history.roll_up import roll_up
from commander.live.operational_index import OperationalIndex
from commander.rig_pages.cpu_gpu_rows import TotalView, part_text, total_views
from commander_farm import Farm, a_log, an_asic_log
from history_farm import KIND, START, Moment, Place, a_place
from test_metrics import figures_in

TOTAL = r'data-total="{}"[^>]*>([^<]*)</dd>(?:<dd class="small">([^<]*)</dd>)?'


def total(html: str, name: str) -> tuple[str, str | None]:
    found = re.search(TOTAL.format(name), html)
    assert found, name
    return found[1], found[2]


async def three_rigs(farm: Farm) -> None:
    """Adds three rigs of 1 kH/s each: two report their power, 200 W and 300 W, the third does not."""
    for number, power_w in enumerate((200.0, 300.0, None)):
        rig = await farm.add(f"rig-{number}")
        await farm.report(rig, a_log(hashrate_hs=1000.0, power_w=power_w))


async def test_the_farms_power_says_how_many_rigs_it_is_of(person: httpx.AsyncClient, farm: Farm) -> None:
    await three_rigs(farm)
    html = (await person.get("/cpu-gpu")).text
    assert total(html, "power") == ("≥ 500 W", "2 of 3 rigs")
    assert total(html, "efficiency") == ("4.00 H/W", "2 of 3 rigs")
    stats = (await farm.get("/api/v1/cpu-gpu-stats")).json()
    assert (stats["power_w"], stats["power_rigs"], stats["rigs_alive"]) == (500.0, 2, 3)
    figures = figures_in((await farm.get("/metrics")).text)
    assert figures['minewarden_power_rigs{kind="cpu-gpu"}'] == 2
    assert figures['minewarden_power_watts{kind="cpu-gpu"}'] == 500
    assert figures['minewarden_power_rigs{kind="asic"}'] == 0
    assert 'minewarden_power_watts{kind="asic"}' not in figures


async def test_asics_are_called_asics(person: httpx.AsyncClient, farm: Farm) -> None:
    first, second = await farm.add_asic("asic-01"), await farm.add_asic("asic-02")
    await farm.report_asic(first, an_asic_log(power_w=3250.0))
    await farm.report_asic(second, an_asic_log(power_w=None))
    html = (await person.get("/asics")).text
    assert total(html, "power") == ("≥ 3.25 kW", "1 of 2 ASICs")
    assert total(html, "efficiency-Bitcoin") == ("29.5 J/TH", "1 of 2 ASICs")


async def test_what_all_report_or_none_has_no_such_line(person: httpx.AsyncClient, farm: Farm) -> None:
    rig = await farm.add()
    await farm.report(rig, a_log(10, power_w=None))
    html = (await person.get("/cpu-gpu")).text
    assert total(html, "power") == ("–", None)
    assert 'data-total="efficiency"' not in html
    await farm.report(rig, a_log(power_w=200.0))
    html = (await person.get("/cpu-gpu")).text
    assert total(html, "power") == ("200 W", None)
    assert total(html, "efficiency")[1] is None


def test_large_numbers_are_readable() -> None:
    assert part_text(1_715, 1_985, "rigs") == "1,715 of 1,985 rigs"
    assert [view.note for view in views_of_nothing()] == ["", ""]


def views_of_nothing() -> list[TotalView]:
    return total_views(OperationalIndex(stale_after_s=45, offline_after_s=60))


@pytest.fixture
async def place(database_url: str) -> AsyncIterator[Place]:
    async with a_place(database_url, rig_count=3) as place:
        yield place


async def test_the_farms_history_says_it_too_in_every_tier(place: Place) -> None:
    hour = timedelta(hours=1)
    await place.send(
        Moment(rig_id, at_s, power_w=None if rig_id == 3 else 100.0)
        for rig_id in (1, 2, 3)
        for at_s in range(0, 3600, 10)
    )
    await roll_up(place.database, now=START + 2 * hour)
    for step_s in (60, 600, 3600):
        for figures in (None, {"power_rigs", "rigs_alive"}):
            async with place.database.reading() as db:
                history = await farm_history(
                    db, KIND, since=START, until=START + hour, points=3600 // step_s, figures=figures
                )
            lines = {series.figure: series.mean for series in history.series}
            assert lines["power_rigs"] == [2.0] * (3600 // step_s)
            assert lines["rigs_alive"] == [3.0] * (3600 // step_s)
