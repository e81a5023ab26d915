"""Adding, renaming and removing rigs: by keyboard alone, with bad names, and without any script."""

import asyncio
import re

import pytest
from playwright.async_api import Page, Response, Route, expect

from tests.farm import PASSWORD

from .conftest import OpenPage
from .people_and_sentries import Farm

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def tab_to(page: Page, name: str) -> None:
    """Press Tab until the element of that name has focus."""
    await press_until(page, "Tab", name)


async def press_until(page: Page, key: str, name: str) -> None:
    for _ in range(40):
        await page.keyboard.press(key)
        label = await page.evaluate("document.activeElement.ariaLabel ?? document.activeElement.textContent.trim()")
        if label == name:
            return
    raise AssertionError(f"{key} never came to {name}")


async def test_everything_is_done_by_keyboard(farm: Farm, open_page: OpenPage) -> None:
    rig = farm.add("rig-01")
    page = await open_page("/cpu-gpu")
    await tab_to(page, "Actions for rig-01")
    await page.keyboard.press("Enter")
    await press_until(page, "ArrowDown", "Rename")
    await page.keyboard.press("Enter")
    field = page.get_by_label("Name", exact=True)
    await expect(field).to_be_focused()
    await page.keyboard.type("rig-02")
    await page.keyboard.press("Enter")
    await expect(page.locator(f"#rig-{rig.id}")).to_contain_text("rig-02")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(page.get_by_role("link", name="Actions for rig-02")).to_be_focused()
    await page.keyboard.press("Enter")
    await press_until(page, "ArrowUp", "Remove")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog")).to_be_visible()
    await tab_to(page, "Remove rig-02")
    await page.keyboard.press("Enter")
    await expect(page.locator(f"#rig-{rig.id}")).to_have_count(0)
    await expect(page.get_by_role("heading", level=1)).to_be_focused()


async def test_escape_closes_and_focus_goes_back(farm: Farm, open_page: OpenPage) -> None:
    page = await open_page("/cpu-gpu")
    add = page.get_by_role("link", name="Add rig", exact=True)
    await add.focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(add).to_be_focused()


async def test_a_dialog_in_the_address_is_modal_and_leaves_with_it(farm: Farm, open_page: OpenPage) -> None:
    page = await open_page("/cpu-gpu?dialog=add")
    await expect(page.locator("dialog:modal")).to_be_visible()
    await page.get_by_role("link", name="Cancel").click()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.wait_for_url(lambda url: url.endswith("/cpu-gpu"))


@pytest.mark.parametrize("name", ["", "x" * 1000, "<script>alert(1)</script>", "rig-01"])
async def test_a_bad_name_stays_in_the_dialog_with_its_error(farm: Farm, open_page: OpenPage, name: str) -> None:
    farm.add("rig-01")
    page = await open_page("/cpu-gpu")
    await page.get_by_role("link", name="Add rig", exact=True).click()
    field = page.get_by_label("Name", exact=True)
    await field.fill(name)
    await page.keyboard.press("Enter")
    await expect(page.locator("#error-name")).to_be_visible()
    await expect(field).to_have_value(name)
    await expect(field).to_be_focused()
    await expect(field).to_have_accessible_description(
        await page.locator("#error-name").inner_text() + " As you call it in the farm, for example rig-07."
    )
    await field.fill("rig-02")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Enroll the sentry on rig-02")).to_be_visible()


async def test_a_rig_is_renamed_and_removed_on_its_own_page(farm: Farm, open_page: OpenPage) -> None:
    rig = farm.add("rig-01")
    page = await open_page(f"/cpu-gpu/{rig.id}")
    await page.get_by_role("link", name="Rename").click()
    await page.get_by_label("Name", exact=True).fill("rig-02")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("rig-02")
    await page.get_by_role("link", name="Remove").click()
    await page.get_by_role("button", name="Remove rig-02").click()
    await expect(page.get_by_text("rig-02 was removed.")).to_be_visible()


async def test_who_removes_a_rig_goes_to_the_list_once(farm: Farm, open_page: OpenPage) -> None:
    """Both the form's answer and a frame lead to the list; the second must not break off the first."""
    rig = farm.add("rig-01")
    page = await open_page(f"/cpu-gpu/{rig.id}")
    gone, navigations = "/cpu-gpu?removed=rig-01", list[str]()
    framed, answered = asyncio.Event(), asyncio.Event()

    def framed_by(frame: str | bytes) -> None:
        if "data-go" in str(frame):
            framed.set()

    async def go_on_when_both_have_told(route: Route) -> None:
        if route.request.is_navigation_request():
            navigations.append(route.request.url)
            await asyncio.gather(framed.wait(), answered.wait())
        await route.continue_()

    def answered_by(response: Response) -> None:
        if response.url.endswith(gone) and not response.request.is_navigation_request():
            answered.set()

    page.on("websocket", lambda socket: socket.on("framereceived", framed_by))
    page.on("response", answered_by)
    await page.reload()
    await page.route(f"**{gone}", go_on_when_both_have_told)
    await page.get_by_role("link", name="Remove").click()
    await page.get_by_role("button", name="Remove rig-01").click()
    await expect(page.get_by_text("rig-01 was removed.")).to_be_visible()
    assert len(navigations) == 1


async def test_the_back_button_leaves_a_new_rig_s_page(farm: Farm, open_page: OpenPage) -> None:
    page = await open_page("/cpu-gpu")
    await page.get_by_role("link", name="Add rig", exact=True).click()
    await page.get_by_label("Name", exact=True).fill("rig-01")
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/cpu-gpu/*")
    await page.go_back()
    await expect(page.get_by_role("heading", level=1)).to_have_text("CPU/GPU rigs")
    await expect(page.get_by_role("link", name="rig-01", exact=True)).to_be_visible()


async def test_without_any_script_everything_works(farm: Farm, open_page: OpenPage) -> None:
    page = await open_page("/cpu-gpu", java_script_enabled=False)
    await page.get_by_role("link", name="Add rig", exact=True).click()
    await page.get_by_label("Name", exact=True).fill("<b>")
    await page.get_by_role("button", name="Add rig").click()
    await expect(page.get_by_text("A name begins with a letter")).to_be_visible()
    await page.get_by_label("Name", exact=True).fill("rig-01")
    await page.get_by_role("button", name="Add rig").click()
    await expect(page.locator("#enrol-token")).to_contain_text("mw_rig_")
    await page.get_by_role("link", name="Rename").click()
    await page.get_by_label("Name", exact=True).fill("rig-02")
    await page.get_by_role("button", name="Rename").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("rig-02")
    await page.get_by_role("link", name="Remove").click()
    await page.get_by_role("button", name="Remove rig-02").click()
    await expect(page.get_by_text("rig-02 was removed.")).to_be_visible()


async def test_login_asks_again_until_it_is_right_and_comes_back(open_page: OpenPage, farm: Farm) -> None:
    page = await open_page("/cpu-gpu?sort=power", logged_in=False)
    for password in ("wrong", "<script>"):
        await page.get_by_label("Password").fill(password)
        async with page.expect_event("domcontentloaded"):  # the page before it says the same
            await page.keyboard.press("Enter")
        await expect(page.get_by_text("That is not the password.")).to_be_visible()
        await expect(page.get_by_label("Password")).to_be_focused()
    await page.get_by_label("Password").fill(PASSWORD)
    await page.keyboard.press("Enter")
    await page.wait_for_url(re.compile(r":\d+/cpu-gpu\?sort=power$"))


async def test_an_api_key_is_made_copied_and_revoked(open_page: OpenPage, farm: Farm) -> None:
    page = await open_page("/settings", permissions=["clipboard-read", "clipboard-write"])
    await page.get_by_label("Role", exact=True).select_option("view")
    await page.get_by_label("Name of a new key").fill("backup")
    await page.keyboard.press("Enter")
    key = await page.locator("#created-key").inner_text()
    await page.get_by_role("button", name="Copy: API key").click()
    await expect(page.get_by_text("Copied")).to_be_visible()
    assert await page.evaluate("navigator.clipboard.readText()") == key
    assert farm.client.get("/api/v1/cpu-gpu-rigs", headers={"Authorization": f"Bearer {key}"}).status_code == 200
    await page.get_by_role("link", name="Revoke backup").click()
    await page.get_by_role("button", name="Revoke backup").click()
    await expect(page.get_by_role("link", name="Revoke backup")).to_have_count(0)
