"""A view link in a browser: made on the page of the view, shown on a wall screen, and ended."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.farm import CommanderProcess

from .conftest import OpenPage
from .people_and_sentries import Farm, Rig
from .test_looks import must_be_open_to_all, settled_asics

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

HALL_2 = "/cpu-gpu?select=tag%3Ahall%3A2"
LEADS_ON = "a, button, form, input, select, dialog, nav"


@pytest.fixture
def hall(farm: Farm) -> list[Rig]:
    """Two rigs in hall 2, and one that the view does not show."""
    rigs = [farm.add(name) for name in ("rig-07", "rig-08 with a rather long name of sixty characters or so", "rig-09")]
    for rig in rigs[:2]:
        farm.tag("cpu-gpu", rig.id, "hall:2", "rack:B", "owner:anna", "test")
        rig.report()
    rigs[2].report()
    return rigs


@pytest_asyncio.fixture(loop_scope="session")
async def person(open_page: OpenPage, hall: list[Rig]) -> AsyncIterator[Page]:
    """Somebody who has saved a view; it is removed afterwards, and its links with it."""
    page = await open_page(HALL_2)
    await page.get_by_role("link", name="Save view").click()
    await page.get_by_label("Name", exact=True).fill("Hall 2")
    await page.keyboard.press("Enter")
    await page.get_by_role("link", name="Remove view Hall 2").wait_for()
    yield page
    await page.goto(HALL_2)
    await page.get_by_role("link", name="Remove view Hall 2").click()
    await page.get_by_role("button", name="Remove view").click()
    await expect(page.get_by_role("link", name="Remove view Hall 2")).to_have_count(0)


async def make_link(person: Page) -> str:
    await person.goto(HALL_2)
    await person.get_by_role("link", name="Make a link to view Hall 2").click()
    await person.get_by_role("button", name="Make the link").click()
    address = person.locator("#made-link")
    await address.wait_for()
    return (await address.inner_text()).strip()


async def test_a_wall_screen_is_live_and_leads_nowhere(person: Page, open_page: OpenPage, hall: list[Rig]) -> None:
    wall = await open_page(await make_link(person), logged_in=False)
    await expect(wall.get_by_role("heading", name="Hall 2")).to_be_visible()
    await expect(wall.locator("#rows .row")).to_have_count(2)
    await expect(wall.locator("body")).to_have_attribute("data-state", "live")
    hall[0].report(hashrate_hs=5_000.0)
    await expect(wall.locator(f"#rig-{hall[0].id} [data-figure=hashrate]")).to_contain_text("5.00 kH/s")
    hall[2].farm.tag("cpu-gpu", hall[2].id, "hall:2")
    await expect(wall.locator("#rows .row")).to_have_count(3)
    await expect(wall.locator(LEADS_ON)).to_have_count(0)
    await expect(wall.get_by_text("All 3")).to_be_visible()
    assert await wall.context.cookies() == []


async def test_a_wall_screen_is_open_to_all_from_a_phone_to_a_wall(
    person: Page, open_page: OpenPage, hall: list[Rig]
) -> None:
    wall = await open_page(await make_link(person), logged_in=False)
    await must_be_open_to_all(wall)
    for width in (360, 768, 1280, 1920, 2560):
        await wall.set_viewport_size({"width": width, "height": 900})
        wide = await wall.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"it sticks out by {wide} px at {width} px"
        edges = await wall.locator("main").evaluate("main => [...main.children].at(-1).getBoundingClientRect().right")
        assert width - 80 < edges <= width, "the rows use the width"
    lefts = [
        await wall.locator(f"{where} > :not(.extra)").evaluate_all(
            "cells => cells.map(cell => Math.round(cell.getBoundingClientRect().left))"
        )
        for where in (".head .row", f"#rig-{hall[0].id}")
    ]
    assert lefts[0] == lefts[1], "each figure stands below its heading"


async def test_a_wall_screen_of_asics_is_open_to_all(farm: Farm, open_page: OpenPage) -> None:
    settled_asics(farm)
    person = await open_page("/asics")
    await person.get_by_role("link", name="Save view").click()
    await person.get_by_label("Name", exact=True).fill("All ASICs")
    await person.keyboard.press("Enter")
    await person.get_by_role("link", name="Make a link to view All ASICs").click()
    await person.get_by_role("button", name="Make the link").click()
    link = await person.locator("#made-link").inner_text()
    wall = await open_page(link.strip(), logged_in=False)
    await expect(wall.locator("#rows .row")).to_have_count(3)
    await expect(wall.locator("#waiting-rows .row")).to_have_count(1)
    await expect(wall.locator(LEADS_ON)).to_have_count(0)
    await must_be_open_to_all(wall)
    await person.goto("/asics")
    await person.get_by_role("link", name="Remove view All ASICs").click()
    await person.get_by_role("button", name="Remove view").click()
    await expect(wall.get_by_role("heading", name="This link is not valid")).to_be_visible()


async def test_an_ended_link_leaves_a_plain_page_on_the_screen(
    person: Page, open_page: OpenPage, commander: CommanderProcess
) -> None:
    link = await make_link(person)
    await must_be_open_to_all(person)
    wall = await open_page(link, logged_in=False)
    await expect(wall.locator("body")).to_have_attribute("data-state", "live")
    for address in ("/access?dialog=view-link", "/access"):
        await person.goto(address)
        await must_be_open_to_all(person)
    await person.get_by_role("link", name="Revoke the link to Hall 2").click()
    await person.get_by_role("button", name="Revoke the link").click()
    await expect(wall.get_by_role("heading", name="This link is not valid")).to_be_visible()
    await expect(wall.locator(LEADS_ON)).to_have_count(0)
    await must_be_open_to_all(wall)
    assert link.rpartition("/")[2] not in commander.log.read_text(encoding="utf-8")
