"""A rig's log as a table and as a file, with the charts above it."""

import csv
import re
from pathlib import Path

import pytest
from playwright.async_api import expect

from .chart_pages import chart, drag, drawn, rows_of
from .conftest import OpenPage
from .people_and_sentries import Farm, Rig
from .test_looks import must_be_open_to_all

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_chosen_devices_are_drawn_and_listed(rig: Rig, open_page: OpenPage) -> None:
    page = await open_page(f"/cpu-gpu/{rig.id}/log?range=1h")
    await page.locator("#choices > summary").click()
    await page.get_by_label("In total").uncheck()
    await page.get_by_label("GPU 04:00").check()
    await page.get_by_role("button", name="Show these").click()
    await expect(page).to_have_url(re.compile("range=1h.*devices=0000%3A04%3A00.0"))
    await drawn(page)
    pressed = chart(page, "Power").locator(".key[aria-pressed=true]")
    await expect(pressed).to_have_count(1)
    await expect(pressed).to_contain_text("GPU 04:00")
    await expect(page.locator("#log-table thead")).to_contain_text("Power, GPU 04:00")
    old = await page.locator("#log-table").element_handle()
    await page.get_by_role("link", name="24 h", exact=True).click()
    await page.wait_for_function("old => !old.isConnected", arg=old)
    await expect(page.locator("#log-table thead")).to_contain_text("Power, GPU 04:00")


async def test_the_table_is_paged_and_the_file_is_whole(rig: Rig, open_page: OpenPage, tmp_path: Path) -> None:
    page = await open_page(f"/cpu-gpu/{rig.id}/log?range=1h&figures=power")
    table = page.locator("#log-table")
    await expect(table.locator("tbody tr")).to_have_count(100)
    first = (await rows_of(table))[0][0]
    await table.get_by_role("link", name="Older").click()
    await expect(table.get_by_role("link", name="Newest")).to_be_visible()
    assert (await rows_of(table))[0][0] != first
    await expect(page).to_have_url(re.compile("before="))
    async with page.expect_download() as started:
        await table.get_by_role("link", name="Download as CSV").click()
    path = tmp_path / "log.csv"
    await (await started.value).save_as(path)
    lines = list(csv.reader(path.read_text().splitlines()))
    assert lines[0] == ["taken_at", "power_w"]
    assert 290 < len(lines) < 305
    assert {line[1] for line in lines[1:]} == {"346.5"}


async def test_a_range_is_typed_in_local_time(rig: Rig, open_page: OpenPage) -> None:
    page = await open_page(f"/cpu-gpu/{rig.id}/log", timezone_id="Asia/Kolkata")
    await drawn(page)
    field = page.get_by_label(re.compile("From"))
    await expect(page.locator("#range-form")).to_contain_text("GMT+5:30")
    await field.fill("2026-03-02T10:30")
    await page.get_by_label(re.compile("^To")).fill("2026-03-01T10:30")
    await page.get_by_role("button", name="Show", exact=True).click()
    await expect(page.get_by_text("The range ends before it begins")).to_be_visible()
    assert "from=2026-03-02T05%3A00%3A00Z" in page.url
    await expect(page.get_by_label(re.compile("From"))).to_have_value("2026-03-02T10:30")
    await page.get_by_label(re.compile("^To")).fill("2026-03-03T10:30")
    await page.get_by_role("button", name="Show", exact=True).click()
    await expect(page.locator("#log-table")).to_contain_text("Nothing was reported in this time.")
    await expect(page.locator("history-charts .note")).to_contain_text("Nothing was reported in this time.")


async def test_without_any_script_the_log_is_a_table(rig: Rig, open_page: OpenPage) -> None:
    page = await open_page(f"/cpu-gpu/{rig.id}/log", java_script_enabled=False)
    assert "Charts need a script" in await page.locator("noscript").inner_text()
    await page.get_by_role("link", name="1 h", exact=True).click()
    await expect(page).to_have_url(re.compile("range=1h"))
    await expect(page.locator("#log-table tbody tr")).to_have_count(100)
    await page.locator("#choices > summary").click()
    await page.get_by_label("Hashrate", exact=True).uncheck()
    await page.get_by_role("button", name="Show these").click()
    assert "range=1h" in page.url
    await expect(page.locator("#log-table thead")).not_to_contain_text("Hashrate")


async def test_a_log_page_follows_its_rig(rig: Rig, open_page: OpenPage) -> None:
    page = await open_page(f"/cpu-gpu/{rig.id}/log")
    await expect(page.locator("body")).to_have_attribute("data-state", "live")
    rig.farm.rename(rig, "rig-08")
    await expect(page.get_by_role("heading", level=1)).to_have_text("History of rig-08")
    rig.farm.remove(rig)
    await page.wait_for_url("**/cpu-gpu?removed=rig-08")


async def test_an_asic_s_log(farm: Farm, open_page: OpenPage) -> None:
    asic = farm.add_asic("s19-01")
    asic.send_past(minutes=120, gap=range(20, 30))
    page = await open_page(f"/asics/{asic.id}")
    await drawn(page)
    await page.get_by_role("link", name="History", exact=True).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("History of s19-01")
    await drawn(page)
    titles = await page.locator("figure.chart h3").all_inner_texts()
    assert titles == ["Hashrate, Bitcoin", "Power", "Temperature", "Fan speed", "Shares accepted", "Shares refused"]
    speed = chart(page, "Fan speed")
    await expect(speed.get_by_role("button", name="Fan 1")).to_have_attribute("aria-pressed", "true")
    boards = chart(page, "Hashrate, Bitcoin").get_by_role("button", name="Board 1")
    await expect(boards).to_have_attribute("aria-pressed", "false")
    await expect(chart(page, "Hashrate, Bitcoin").locator(".summary")).to_contain_text("mean 110 TH/s")
    await page.get_by_role("link", name="1 h", exact=True).click()
    await expect(page).to_have_url(re.compile("range=1h$"))
    await drawn(page)
    await expect(page.locator("#log-table tbody tr")).to_have_count(49)
    await drag(page, chart(page, "Power").locator(".u-over"), 0.7, 0.9)
    await expect(page).to_have_url(re.compile("from="))
    await drawn(page)
    await page.go_back()
    await drawn(page)
    await expect(page.locator("body")).to_have_attribute("data-state", "live")
    assert asic.report(hashrate_hs=140e12)["stored"] == 1
    await expect(chart(page, "Hashrate, Bitcoin").locator(".summary")).to_contain_text("max 140 TH/s")
    await must_be_open_to_all(page)
