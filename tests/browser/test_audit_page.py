"""The audit log's page: what people did is there, and is found by the filter, by keyboard too."""

import pytest
from playwright.async_api import Page, expect

from .conftest import OpenPage
from .people_and_sentries import Farm
from .test_looks import must_be_open_to_all

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def tab_into(page: Page, label: str) -> None:
    """Presses Tab until the field of that label has focus."""
    for _ in range(40):
        await page.keyboard.press("Tab")
        if await page.get_by_label(label, exact=True).evaluate("field => field === document.activeElement"):
            return
    raise AssertionError(f"Tab never came to {label}")


async def test_an_entry_is_found_by_its_words_and_the_filter_stays_in_the_address(
    farm: Farm, open_page: OpenPage
) -> None:
    rig, other = farm.add("rig-audited"), farm.add("rig-other")
    farm.tag("cpu-gpu", rig.id, "hall:2")
    farm.tag("cpu-gpu", other.id, "hall:3")
    page = await open_page("/audit")
    await page.get_by_text("Filter", exact=True).focus()
    await page.keyboard.press("Enter")
    for label, words in (("What", "tags changed"), ("On what", "rig-audited")):
        await tab_into(page, label)
        await page.keyboard.type(words)
    await page.keyboard.press("Enter")
    await expect(page.locator("table.audit tbody tr")).to_have_count(1)
    await expect(page.locator("table.audit tbody tr")).to_contain_text("hall:2")
    await expect(page.get_by_label("On what")).to_have_value("rig-audited")
    assert "what=tags+changed&subject=rig-audited" in page.url
    await must_be_open_to_all(page)
    async with page.expect_download() as download:
        await page.get_by_role("link", name="Download as CSV").click()
    lines = (await (await download.value).path()).read_text().splitlines()
    assert len(lines) == 2
    assert "rig-audited" in lines[1]
    await page.get_by_role("link", name="Show all").click()
    await expect(page.locator("table.audit tbody tr").nth(1)).to_be_visible()


async def test_a_filter_that_nothing_matches_and_a_wrong_range_are_explained(farm: Farm, open_page: OpenPage) -> None:
    farm.add("rig-01")
    page = await open_page("/audit?who=nobody-at-all")
    await expect(page.get_by_text("No entry matches.")).to_be_visible()
    await page.get_by_label("Who", exact=True).fill("")
    await page.locator("#field-from").fill("2026-11-20T12:00")
    await page.locator("#field-to").fill("2026-11-20T11:00")
    await page.get_by_role("button", name="Show", exact=True).click()
    await expect(page.get_by_text("Correct the range above")).to_be_visible()
    await must_be_open_to_all(page)
