"""Charts as people use them: ranges, zoom, the back button, the live edge, gaps, the same as a table and as a file."""

import asyncio
import csv
import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, Route, expect

from .conftest import OpenPage
from .people_and_sentries import Farm, Rig, past_of
from .test_looks import must_be_open_to_all

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def drawn(page: Page) -> None:
    """Wait until the charts of the range are there."""
    await expect(page.locator("history-charts[aria-busy]")).to_have_count(0)
    await expect(page.locator("history-charts .u-over").first).to_be_visible()


def chart(page: Page, title: str) -> Locator:
    return page.locator("figure.chart").filter(has=page.get_by_role("heading", name=title, exact=True))


def fetches_of(page: Page) -> list[str]:
    """The ranges that the page asks for from now on."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/history?" in request.url else None)
    return asked


async def drag(page: Page, plot: Locator, start: float, end: float) -> None:
    """With the mouse over the plot, from one part of its width to another."""
    await plot.scroll_into_view_if_needed()
    box = await plot.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    await page.mouse.move(box["x"] + start * box["width"], middle)
    await page.mouse.down()
    await page.mouse.move(box["x"] + end * box["width"], middle, steps=5)
    await page.mouse.up()


async def rows_of(box: Locator) -> list[list[str]]:
    found: list[list[str]] = await box.locator("tbody tr").evaluate_all(
        "rows => rows.map(row => [...row.cells].map(cell => cell.textContent.trim()))"
    )
    return found


async def ink_of(figure: Locator, *, minutes: int) -> list[bool]:
    """For each minute of the range whether the line of the whole rig, which is blue, is drawn there."""
    found: list[bool] = await figure.locator("canvas").evaluate(
        """(canvas, minutes) => {
            const {width, height} = canvas, over = canvas.parentElement.querySelector(".u-over");
            const left = over.offsetLeft * devicePixelRatio, wide = over.clientWidth * devicePixelRatio;
            const {data} = canvas.getContext("2d").getImageData(0, 0, width, height);
            const blue = at => data[at + 3] > 200 && data[at + 2] > data[at] + 60;
            return Array.from({length: minutes}, (_, minute) => {
                const x = Math.round(left + (minute + 0.3) * wide / minutes);
                for (let y = 0; y < height; y++) if (blue(4 * (y * width + x))) return true;
                return false;
            });
        }""",
        minutes,
    )
    return found


async def colours_of(plot: Locator) -> set[str]:
    """Which colours the canvas has, as text."""
    found: list[str] = await plot.locator("canvas").evaluate(
        """canvas => {
            const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            const pixels = Array.from({length: data.length / 4}, (_, at) => data.slice(4 * at, 4 * at + 4).join());
            return [...new Set(pixels)].filter(pixel => pixel.endsWith(",255"));
        }"""
    )
    return set(found)


@pytest.fixture
def rig(farm: Farm) -> Rig:
    """It has reported for two hours, but for ten minutes in the last one."""
    rig = farm.add("rig-07")
    rig.send(past_of(minutes=120, gap=(40, 30), gpus=2))
    return rig


async def test_the_charts_of_each_range(rig: Rig, open_page: OpenPage) -> None:
    page = await open_page(f"/cpu-gpu/{rig.id}/log")
    await drawn(page)
    asked = fetches_of(page)
    for label, name in (("1 h", "1h"), ("7 d", "7d"), ("90 d", "90d"), ("1 y", "1y")):
        await page.get_by_role("link", name=label, exact=True).click()
        await expect(page).to_have_url(re.compile(f"range={name}$"))
        await drawn(page)
        await expect(page.get_by_role("link", name=label, exact=True)).to_have_attribute("aria-current", "true")
    assert len(asked) == 4, "one fetch for each range"
    titles = await page.locator("figure.chart h3").all_inner_texts()
    assert titles == [
        "Hashrate, Monero",
        "Power",
        "Temperature",
        "Memory temperature",
        "Fans",
        "Core clock",
        "Memory clock",
        "Shares accepted",
        "Shares refused",
    ]
    await page.go_back()
    await expect(page).to_have_url(re.compile("range=90d$"))
    await drawn(page)
    await expect(page.get_by_role("link", name="90 d", exact=True)).to_have_attribute("aria-current", "true")


async def test_dragging_zooms_and_the_back_button_comes_back(rig: Rig, open_page: OpenPage) -> None:
    page = await open_page(f"/cpu-gpu/{rig.id}/log?range=1h")
    await drawn(page)
    rows = page.locator("#log-table tbody tr")
    before = await rows.count()
    await drag(page, chart(page, "Power").locator(".u-over"), 0.8, 0.9)
    await expect(page).to_have_url(re.compile(r"from=.*&to="))
    await drawn(page)
    await expect(page.get_by_role("button", name="Reset zoom")).to_be_visible()
    await expect(page.locator('[data-range][aria-current="true"]')).to_have_count(0)
    assert 20 < await rows.count() < 60 < before, "the table shows the six minutes too"
    await expect(page.locator(".span")).to_contain_text("one point every 10 seconds")
    address = page.url
    await page.reload()
    await drawn(page)
    assert page.url == address, "the address holds the view"
    await page.go_back()
    await expect(page).to_have_url(re.compile("range=1h$"))
    await drawn(page)
    await expect(rows).to_have_count(before)
    await page.go_forward()
    await expect(page.get_by_role("button", name="Reset zoom")).to_be_visible()
    await page.get_by_role("button", name="Reset zoom").click()
    await expect(page.locator('[data-range][aria-current="true"]')).to_have_count(1)
    await expect(page).to_have_url(re.compile("range="))


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
    async with asyncio.timeout(30):
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
    before = len(await rows_of(table))
    rig.send(logs[120:])
    rig.report()
    await expect(table.locator("tbody tr").nth(before + 200)).to_be_attached(timeout=12_000)


async def test_a_gap_is_a_gap(rig: Rig, open_page: OpenPage) -> None:
    page = await open_page(f"/cpu-gpu/{rig.id}/log?range=1h")
    await drawn(page)
    power = chart(page, "Power")
    ink = await ink_of(power, minutes=60)
    assert ink[:18] == [True] * 18
    assert ink[21:29] == [False] * 8, "no line where nothing was reported"
    assert ink[32:57] == [True] * 25
    await power.locator("details summary").click()
    await expect(power.locator("tbody tr").first).to_be_attached()
    assert 270 < len(await rows_of(power.locator("details"))) < 312, "no row either, and no zero"


async def test_a_rig_that_reports_rarely_has_a_line(farm: Farm, open_page: OpenPage) -> None:
    rig = farm.add("rig-slow")
    rig.send(past_of(minutes=60, every_s=60, gap=(40, 30)))
    page = await open_page(f"/cpu-gpu/{rig.id}/log?range=1h")
    await drawn(page)
    ink = await ink_of(chart(page, "Power"), minutes=60)
    assert ink[2:18] == [True] * 16, "between two reports too"
    assert ink[22:29] == [False] * 7
    assert ink[33:57] == [True] * 24


async def test_what_happened_is_marked_with_words(rig: Rig, open_page: OpenPage) -> None:
    page = await open_page("/settings")

    async def with_events(route: Route) -> None:
        answer = await route.fetch()
        history = await answer.json()
        at = (datetime.now(UTC) - timedelta(minutes=12)).isoformat()
        history["events"] = [
            {"at": history["times"][60], "kind": "offline", "text": "Went offline"},
            {"at": at, "kind": "renamed", "text": "Renamed from rig-01 to rig-07"},
            {"at": at, "kind": "playbook_changed", "text": "Playbook xmrig changed"},
        ]
        await route.fulfill(response=answer, json=history)

    await page.route("**/history?*", with_events)
    await page.goto(f"/cpu-gpu/{rig.id}/log?range=1h")
    await drawn(page)
    marks = page.locator("button.mark")
    await expect(marks).to_have_count(2)
    await expect(marks.first).to_have_accessible_name(re.compile("Went offline$"))
    await expect(marks.last).to_have_text("2")
    await marks.last.focus()
    await expect(marks.last).to_have_accessible_name(
        re.compile("Renamed from rig-01 to rig-07.*Playbook xmrig changed", re.DOTALL)
    )
    plot = page.get_by_label("Power. Arrow keys read it")
    await plot.focus()
    await page.keyboard.press("Home")
    for _ in range(3):
        await page.keyboard.press("PageDown")
    await expect(page.locator(".reading")).to_contain_text("Went offline")
    await must_be_open_to_all(page)


async def test_cursors_are_in_step_and_values_are_read(rig: Rig, open_page: OpenPage) -> None:
    page = await open_page(f"/cpu-gpu/{rig.id}?range=1h")
    await drawn(page)
    power = chart(page, "Power").locator(".u-over")
    await power.scroll_into_view_if_needed()
    box = await power.bounding_box()
    assert box is not None
    await page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + 40)
    moments = set(await page.locator("figure.chart .moment").all_inner_texts())
    assert len(moments) == 1, "every chart is read at the same moment"
    assert re.search(r"\d:\d\d:\d\d", moments.pop())
    await expect(chart(page, "Power").locator(".key").first).to_contain_text("347 W")
    await expect(chart(page, "Power").locator(".key b").first).to_have_attribute("title", "346.5 W")


async def test_a_chart_is_used_by_keyboard(rig: Rig, open_page: OpenPage) -> None:
    page = await open_page(f"/cpu-gpu/{rig.id}?range=1h")
    await drawn(page)
    plot = page.get_by_label("Power. Arrow keys read it")
    await plot.focus()
    await expect(plot).to_have_accessible_description(re.compile("min 347 W.*mean 347 W.*max 347 W.*last 347 W"))
    await page.keyboard.press("Home")
    await page.keyboard.press("ArrowRight")
    reading = page.locator(".reading")
    await expect(reading).to_contain_text("Total 347 W")
    told = await reading.inner_text()
    for key in ("PageDown", "End"):
        await page.keyboard.press(key)
        await expect(reading).not_to_have_text(told)
        told = await reading.inner_text()
    await page.keyboard.press("+")
    await expect(page).to_have_url(re.compile("from="))
    await drawn(page)
    await expect(plot).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page).to_have_url(re.compile("range=1h"))


async def test_the_legend_switches_devices(rig: Rig, open_page: OpenPage) -> None:
    page = await open_page(f"/cpu-gpu/{rig.id}/log?range=1h")
    await drawn(page)
    power = chart(page, "Power")
    card = power.get_by_role("button", name="GPU 03:00")
    await expect(card).to_have_attribute("aria-pressed", "false")
    await expect(card).to_have_attribute("title", "GPU 03:00 (0000:03:00.0)")
    await expect(power.locator(".summary")).to_contain_text("min 347 W")
    await card.click()
    await expect(card).to_have_attribute("aria-pressed", "true")
    await expect(power.locator(".summary")).to_contain_text("min 120 W")
    await page.get_by_role("link", name="24 h", exact=True).click()
    await drawn(page)
    await expect(power.get_by_role("button", name="GPU 03:00")).to_have_attribute("aria-pressed", "true")
    temperature = chart(page, "Temperature")
    await expect(temperature.get_by_role("button", name="GPU 04:00")).to_have_attribute("aria-pressed", "true")
    await expect(temperature.get_by_role("button", name="Hottest")).to_have_attribute("aria-pressed", "false")


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
    await page.get_by_role("link", name="24 h", exact=True).click()
    await expect(page.locator("#log-table thead")).to_contain_text("Power, GPU 04:00")


async def test_colours_follow_the_scheme(rig: Rig, open_page: OpenPage) -> None:
    page = await open_page(f"/cpu-gpu/{rig.id}?range=1h", color_scheme="light")
    await drawn(page)
    plot = chart(page, "Power").locator(".plot")
    light = await colours_of(plot)
    await page.emulate_media(color_scheme="dark")
    await page.wait_for_function("getComputedStyle(document.body).color.startsWith('oklch(0.93')")
    dark = await colours_of(plot)
    assert light
    assert dark
    assert not light & dark


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


async def test_nothing_moves_when_the_charts_come(rig: Rig, open_page: OpenPage) -> None:
    page = await open_page("/settings")
    await page.add_init_script(
        "window.shifts = []; new PerformanceObserver(list => window.shifts.push(...list.getEntries().map(one =>"
        " `${one.value} ${one.sources.map(source => source.node?.className ?? source.node?.nodeName).join()}`)))"
        ".observe({type: 'layout-shift', buffered: true})"
    )
    for path in (f"/cpu-gpu/{rig.id}", f"/cpu-gpu/{rig.id}/log"):
        await page.goto(path)
        await drawn(page)
        assert await page.evaluate("window.shifts") == []


async def test_a_new_farm_s_charts_come_by_themselves(farm: Farm, open_page: OpenPage) -> None:
    """The farm's history begins with the first sample of its totals, which is taken twice a minute."""
    rig = farm.add("rig-01")
    page = await open_page("/cpu-gpu")
    await expect(page.locator("body")).to_have_attribute("data-state", "live")
    charts = page.locator("history-charts .u-over")
    async with asyncio.timeout(90):
        while await charts.count() == 0:
            await asyncio.to_thread(rig.report)
            with suppress(AssertionError):
                await expect(charts.first).to_be_visible(timeout=3_000)
    assert await page.locator("figure.chart h3").all_inner_texts() == ["Hashrate, Monero", "Power"]
    await must_be_open_to_all(page)


async def test_a_failing_commander_is_told(rig: Rig, open_page: OpenPage) -> None:
    page = await open_page(f"/cpu-gpu/{rig.id}")
    await drawn(page)
    await page.route("**/history?*", lambda route: route.abort())
    await page.get_by_role("link", name="7 d", exact=True).click()
    await expect(page.locator(".note")).to_contain_text("The commander did not answer")
    await page.unroute("**/history?*")
    await page.get_by_role("link", name="1 h", exact=True).click()
    await drawn(page)
    await expect(page.locator(".note")).to_be_empty()


@pytest.mark.parametrize("path", ["/cpu-gpu/{rig}", "/cpu-gpu/{rig}/log?range=1h", "/cpu-gpu/{rig}/log?from=x"])
async def test_charts_are_open_to_all(rig: Rig, open_page: OpenPage, path: str) -> None:
    page = await open_page(path.format(rig=rig.id))
    if "from=x" not in path:
        await drawn(page)
        await chart(page, "Power").locator("details summary").click()
    await must_be_open_to_all(page)


async def test_an_asic_s_log(farm: Farm, open_page: OpenPage) -> None:
    asic = farm.add_asic("s19-01")
    asic.send_past(minutes=120, gap=range(20, 30))
    page = await open_page(f"/asics/{asic.id}")
    await drawn(page)
    await page.get_by_role("link", name="History", exact=True).click()
    await drawn(page)
    await expect(page.get_by_role("heading", level=1)).to_have_text("History of s19-01")
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


async def test_no_style_or_script_is_refused(rig: Rig, open_page: OpenPage) -> None:
    page = await open_page("/settings")
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: refused.append(str(error)))
    await page.goto(f"/cpu-gpu/{rig.id}/log?range=1h")
    await drawn(page)
    await drag(page, chart(page, "Power").locator(".u-over"), 0.5, 0.9)
    await expect(page).to_have_url(re.compile("from="))
    await drawn(page)
    assert refused == []
