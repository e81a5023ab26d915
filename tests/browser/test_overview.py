"""The first page at 3 a.m.: what is broken is red on the first screen, with its word and since when; all is live."""

import re

import pytest
from playwright.async_api import Locator, Page, expect

from tests.farm import eventually

from .broken_farm import BROKEN, broken_rigs
from .chart_pages import drawn
from .conftest import OpenPage
from .people_and_sentries import Farm, gpu_of
from .test_looks import must_be_open_to_all

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

ROUNDS_MS = 60_000  # a few rounds of the engine
WIDE, PHONE = {"width": 1280, "height": 800}, {"width": 360, "height": 740}


async def is_on_the_first_screen(place: Locator) -> bool:
    """Returns whether the whole element is visible without scrolling."""
    box = await place.bounding_box()
    height: int = await place.page.evaluate("innerHeight")
    return box is not None and box["y"] + box["height"] <= height


def line_of(page: Page, name: str) -> Locator:
    return page.locator(".troubled li").filter(has=page.get_by_role("link", name=name, exact=True))


@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
async def test_a_farm_of_broken_rigs_is_red_on_the_first_screen(
    farm: Farm, open_page: OpenPage, viewport: dict[str, int]
) -> None:
    await_no_incident(farm)
    broken_rigs(farm)
    page = await open_page("/", viewport=viewport)
    await expect(page.locator("#verdict h2")).to_have_text("7 of 7 rigs need attention")
    await expect(page.locator("#verdict h2")).to_have_css("color", await colour_of(page, "--bad"))
    for name, words in BROKEN.items():
        line = line_of(page, name)
        word = line.locator(".state").filter(has_text=words)
        await expect(word).to_have_count(1)
        await expect(line.locator("time").first).to_be_visible()
        assert await is_on_the_first_screen(line), name
        tone = "--warn" if name in ("rig-rejects", "rig-clock", "rig-two-sentries") else "--bad"
        await expect(word).to_have_css("color", await colour_of(page, tone))


@pytest.mark.timeout(300)
async def test_an_offline_rig_is_red_beside_the_other_broken_ones(farm: Farm, open_page: OpenPage) -> None:
    await_no_incident(farm)
    farm.add("rig-silent").report()
    page = await open_page("/", viewport=WIDE)
    word = line_of(page, "rig-silent").locator(".state").filter(has_text="Offline")
    await expect(word).to_have_count(1, timeout=120_000)
    broken_rigs(farm)
    await expect(page.locator("#verdict h2")).to_have_text("8 of 8 rigs need attention")
    await expect(word).to_have_css("color", await colour_of(page, "--bad"))
    for name in ("rig-silent", *BROKEN):
        assert await is_on_the_first_screen(line_of(page, name)), name


async def colour_of(page: Page, name: str) -> str:
    colour: str = await page.evaluate(
        "name => { const probe = document.body.appendChild(document.createElement('i'));"
        " probe.style.color = `var(${name})`; const found = getComputedStyle(probe).color;"
        " probe.remove(); return found }",
        name,
    )
    return colour


async def test_it_turns_red_and_green_while_it_is_open(farm: Farm, open_page: OpenPage) -> None:
    rigs = [farm.add(f"rig-{number}") for number in range(3)]
    for rig in rigs:
        rig.report()
    page = await open_page("/", viewport=WIDE)
    verdict = page.locator("#verdict h2")
    await expect(verdict).to_have_text("All 3 rigs mining")
    await expect(verdict).to_have_css("color", await colour_of(page, "--ok"))
    rigs[1].report(hashrate_hs=0.0)
    await expect(verdict).to_have_text("1 of 3 rigs needs attention")
    await expect(line_of(page, "rig-1")).to_contain_text("Not mining")
    rigs[1].report()
    await expect(verdict).to_have_text("All 3 rigs mining")
    await expect(page.locator(".troubled li")).to_have_count(0)


async def test_the_broken_farm_is_open_to_all(farm: Farm, open_page: OpenPage) -> None:
    rigs = broken_rigs(farm)
    await must_be_open_to_all(await open_page("/"))
    page = await open_page(f"/cpu-gpu/{rigs['rig-hot'].id}")
    await expect(page.locator("#uptime .strip")).to_be_visible()
    await must_be_open_to_all(page)


def open_incidents(farm: Farm) -> list[object]:
    return list(farm.client.get("/api/v1/incidents").json()["incidents"])


def await_no_incident(farm: Farm) -> None:
    """Waits for the end of those of earlier tests, which stand above the rigs on the first page."""
    eventually(lambda: not open_incidents(farm), within_s=ROUNDS_MS / 1000, what="the end of earlier incidents")


@pytest.mark.timeout(300)
async def test_an_incident_is_on_every_page_in_the_tab_and_in_charts_until_it_is_over(
    farm: Farm, open_page: OpenPage
) -> None:
    hot = gpu_of(0) | {"temperature_c": 97.0}
    await_no_incident(farm)
    farm.add_alert_rule("temperature>90", for_s=0, clear_for_s=0, severity="critical")
    rig = farm.add("rig-hot")
    rig.report(gpus=[gpu_of(0)])
    settings, overview = await open_page("/settings"), await open_page("/", viewport=WIDE)
    about = await open_page(f"/cpu-gpu/{rig.id}")
    await drawn(about)
    rig.report(gpus=[hot])
    for page in (settings, overview, about):
        await expect(page.locator("#open-incidents")).to_have_text("1", timeout=ROUNDS_MS)
        await expect(page).to_have_title(re.compile(r"^\(1\) "))
        await expect(page.locator("link[rel=icon]")).to_have_attribute("href", re.compile("icon-alarm"))
    row = overview.locator(".incident-rows li").filter(has_text="rig-hot")
    assert await is_on_the_first_screen(row)
    await expect(about.locator("#rig-notices")).to_contain_text("Too hot: GPU 03:00 97 °C")
    answer = farm.client.get(f"/api/v1/cpu-gpu-rigs/{rig.id}/conditions").json()
    assert "temperature>90" in [each["rule"] for each in answer["conditions"]]
    await row.get_by_role("button", name="Acknowledge").click()
    await expect(row).to_contain_text("Acknowledged by")
    rig.report(gpus=[gpu_of(0)])
    await expect(row).to_have_count(0, timeout=ROUNDS_MS)
    await expect(settings.locator("#open-incidents")).to_have_text("0", timeout=ROUNDS_MS)
    await overview.goto("/incidents")
    await expect(overview.locator("#incidents-closed tbody tr").first).to_contain_text("rig-hot")
