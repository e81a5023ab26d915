"""Charts as people use them: ranges, zoom, the back button, gaps, keyboard and colours."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import Route, expect

from .chart_pages import chart, colours_of, drag, drawn, fetches_of, ink_of, rows_of
from .conftest import OpenPage
from .people_and_sentries import Farm, Rig, past_of
from .test_looks import must_be_open_to_all

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


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
    await expect(rows).not_to_have_count(before)  # the table comes by a request of its own
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
    await expect(page.locator("figure.chart .moment").last).not_to_be_empty()
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
    await expect(page).to_have_url(re.compile("range=24h$"))
    await drawn(page)
    await expect(power.get_by_role("button", name="GPU 03:00")).to_have_attribute("aria-pressed", "true")
    temperature = chart(page, "Temperature")
    await expect(temperature.get_by_role("button", name="GPU 04:00")).to_have_attribute("aria-pressed", "true")
    await expect(temperature.get_by_role("button", name="Hottest")).to_have_attribute("aria-pressed", "false")


async def test_colours_follow_the_scheme(rig: Rig, open_page: OpenPage) -> None:
    page = await open_page(f"/cpu-gpu/{rig.id}?range=1h", color_scheme="light")
    await drawn(page)
    plot = chart(page, "Power").locator(".plot")
    light = await colours_of(plot)
    await page.emulate_media(color_scheme="dark")
    await page.wait_for_function("getComputedStyle(document.body).color.startsWith('oklch(0.93')")
    await page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")  # the charts
    dark = await colours_of(plot)
    assert light
    assert dark
    assert not light & dark


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
