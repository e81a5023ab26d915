"""Farm tokens and the approval of rigs, in the browser."""

import pytest
from playwright.async_api import expect

from .conftest import OpenPage
from .people_and_sentries import Farm
from .test_live import live
from .test_looks import must_be_open_to_all

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_a_farm_token_is_made_in_the_dialog_and_its_uses_count_down(farm: Farm, open_page: OpenPage) -> None:
    page = await open_page("/cpu-gpu")
    await page.get_by_role("link", name="Add rig", exact=True).click()
    await page.get_by_role("link", name="Many rigs").click()
    await page.get_by_label("Name", exact=True).fill("hall 7")
    await page.get_by_label("For how many rigs").fill("0")
    await page.get_by_role("button", name="Make a farm token").click()
    await expect(page.locator("#error-uses")).to_be_visible()
    await page.get_by_label("For how many rigs").fill("40")
    await page.get_by_label("Names of the rigs").fill("gpu-{n:03}")
    await page.get_by_role("button", name="Make a farm token").click()
    token = page.locator("#farm-token")
    await expect(token).to_contain_text("mw_farm_")
    await must_be_open_to_all(page)
    text = await token.inner_text()
    await page.goto(page.url)
    await live(page)
    farm.enrol(text, "some-host")
    row = page.locator("#farm-tokens tr", has_text="hall 7")
    await expect(row).to_contain_text("39 of 40 uses left")
    await expect(token).to_have_count(0)
    await row.get_by_role("link", name="Revoke").click()
    await page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    await expect(row).to_contain_text("Revoked")


async def test_rigs_that_wait_appear_by_themselves_and_are_approved(farm: Farm, open_page: OpenPage) -> None:
    token = farm.farm_token(uses=40)
    page = await open_page("/cpu-gpu")
    await live(page)
    strip = page.locator("#approvals")
    await expect(strip).to_be_hidden()
    for number in range(3):
        farm.enrol(token, f"rig-{number}").report()
    await expect(strip).to_contain_text("3 rigs wait for approval")
    await strip.get_by_text("Names").click()
    async with page.expect_event("domcontentloaded"):  # the page before it is live, and may say the same
        await strip.get_by_role("button", name="Approve rig-1").click()
    await expect(strip).to_contain_text("2 rigs wait for approval")
    await strip.get_by_text("Names").click()
    await must_be_open_to_all(page)
    await strip.get_by_role("link", name="Refuse rig-2").click()
    await page.get_by_role("dialog").get_by_role("button", name="Remove rig-2").click()
    await expect(strip).to_contain_text("1 rig waits for approval")
    other = await open_page("/cpu-gpu")
    await live(other)
    await strip.get_by_role("button", name="Approve", exact=True).click()
    await expect(other.locator("#approvals")).to_be_hidden()
    await expect(other.get_by_text("Waits for approval")).to_have_count(0)
