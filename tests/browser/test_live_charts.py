"""Charts of an open page follow what the rigs report."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.farm import PASSWORD, running_commander

from .chart_pages import chart, drawn, fetches_of, rows_of
from .conftest import OpenPage
from .people_and_sentries import Farm, Rig, past_of
from .test_looks import must_be_open_to_all

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_a_new_report_moves_the_chart(rig: Rig, open_page: OpenPage) -> None:
    page = await open_page(f"/cpu-gpu/{rig.id}?range=1h")
    await drawn(page)
    await expect(page.locator("body")).to_have_attribute("data-state", "live")
    asked = fetches_of(page)
    hashrate = chart(page, "Hashrate, Monero")
    ends: list[str] = []
    for rate, text in ((21_000.0, "21.0 kH/s"), (26_000.0, "26.0 kH/s")):
        rig.report(hashrate_hs=rate)
        await expect(hashrate.locator(".summary")).to_contain_text(f"max {text}")
        ends.append(await hashrate.locator("canvas").evaluate("canvas => canvas.toDataURL()"))
    assert ends[0] != ends[1]
    assert asked == [], "nothing is asked for: the page's socket brings it"


async def test_the_first_log_brings_the_charts(farm: Farm, open_page: OpenPage) -> None:
    rig = farm.add("rig-01")
    page = await open_page(f"/cpu-gpu/{rig.id}")
    await expect(page.locator("history-charts")).to_be_hidden()
    await expect(page.locator("body")).to_have_attribute("data-state", "live")
    rig.report()
    await drawn(page)
    await expect(chart(page, "Power")).to_be_visible()


async def test_a_new_coin_and_a_new_power_get_their_charts(farm: Farm, open_page: OpenPage) -> None:
    """The open page draws live values that history does not have yet."""
    rig = farm.add("rig-01")
    rig.report(cpu={"temperature_c": 60.0})
    page = await open_page(f"/cpu-gpu/{rig.id}")
    await drawn(page)
    await expect(page.locator("body")).to_have_attribute("data-state", "live")
    await page.evaluate("window.sameDocument = true")
    await page.route("**/history?**", lambda route: route.abort())
    await expect(chart(page, "Power")).to_have_count(0)
    miner = {
        "software": "lolminer",
        "version": "1",
        "state": "mining",
        "devices": [{"device": "gpu0", "hashrates_hs": [1e6]}],
    }
    work = {"algorithm": "autolykos2", "coin": "Ergo", "hashrate_hs": 1e6}
    async with asyncio.timeout(60):
        while not (await chart(page, "Power").count() and await chart(page, "Hashrate, Ergo").count()):
            await asyncio.to_thread(lambda: rig.report(miners=[miner | {"algorithms": [work]}]))
            with suppress(AssertionError):
                await expect(chart(page, "Hashrate, Ergo").locator(".u-over")).to_be_visible(timeout=1_000)
    await expect(chart(page, "Power").locator(".u-over")).to_be_visible()
    assert await page.evaluate("window.sameDocument") is True


async def test_a_spool_is_fetched_after_a_silence(farm: Farm, open_page: OpenPage) -> None:
    rig = farm.add("rig-01")
    logs = past_of(minutes=60)
    rig.send(logs[:120])
    page = await open_page(f"/cpu-gpu/{rig.id}/log?range=1h&figures=power")
    await drawn(page)
    await expect(page.locator("body")).to_have_attribute("data-state", "live")
    table = chart(page, "Power").locator("details")
    await table.locator("summary").click()
    await expect(table.locator("tbody tr").first).to_be_attached()
    before = len(await rows_of(table))
    rig.send(logs[120:])
    rig.report()
    await expect(table.locator("tbody tr").nth(before + 200)).to_be_attached(timeout=30_000)


@pytest.fixture
def new_farm(tmp_path: Path) -> Iterator[Farm]:
    """A farm of a commander of its own: totals of rigs that are removed stay in the history of their farm."""
    with running_commander(tmp_path) as commander:
        farm = Farm.of(commander)
        yield farm
        farm.client.close()


@pytest.mark.timeout(300)
async def test_a_new_farm_s_charts_come_by_themselves(new_farm: Farm, open_page: OpenPage) -> None:
    """The farm's history begins with the first sample of its totals, which is taken twice a minute."""
    rig = new_farm.add("rig-01")
    page = await open_page(str(new_farm.client.base_url.join("/login?next=/cpu-gpu")), logged_in=False)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.keyboard.press("Enter")
    await expect(page.locator("body")).to_have_attribute("data-state", "live")
    charts = page.locator("history-charts .u-over")
    async with asyncio.timeout(150):
        while await charts.count() == 0:
            await asyncio.to_thread(rig.report)
            with suppress(AssertionError):
                await expect(charts.first).to_be_visible(timeout=3_000)
    assert await page.locator("figure.chart h3").all_inner_texts() == ["Hashrate, Monero", "Power"]
    await must_be_open_to_all(page)
