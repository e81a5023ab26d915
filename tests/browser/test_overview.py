"""The first page at 3 a.m.: what is broken is red on the first screen, with its word and since when; all is live."""

import pytest
from playwright.async_api import Locator, Page, expect

from .broken_farm import BROKEN, broken_rigs
from .conftest import OpenPage
from .people_and_sentries import Farm
from .test_looks import must_be_open_to_all

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

WIDE, PHONE = {"width": 1280, "height": 800}, {"width": 360, "height": 740}


async def is_on_the_first_screen(place: Locator) -> bool:
    """Returns whether the whole element is visible without scrolling."""
    box = await place.bounding_box()
    height: int = await place.page.evaluate("innerHeight")
    return box is not None and box["y"] + box["height"] <= height


def line_of(page: Page, name: str) -> Locator:
    return page.locator(".ill li").filter(has=page.get_by_role("link", name=name, exact=True))


@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "phone"])
async def test_a_farm_of_broken_rigs_is_red_on_the_first_screen(
    farm: Farm, open_page: OpenPage, viewport: dict[str, int]
) -> None:
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
    await expect(page.locator(".ill li")).to_have_count(0)


async def test_the_broken_farm_is_open_to_all(farm: Farm, open_page: OpenPage) -> None:
    rigs = broken_rigs(farm)
    await must_be_open_to_all(await open_page("/"))
    page = await open_page(f"/cpu-gpu/{rigs['rig-hot'].id}")
    await expect(page.locator("#uptime .strip")).to_be_visible()
    await must_be_open_to_all(page)
