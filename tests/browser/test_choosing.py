"""Searching as one types, ticking rows and doing something to all of them: by mouse, by keyboard, on a phone."""

import pytest
from playwright.async_api import Page, expect

from .conftest import OpenPage
from .people_and_sentries import Farm
from .test_dialogs import press_until, tab_to
from .test_live import live
from .test_looks import must_be_open_to_all

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


def rigs(farm: Farm, count: int) -> list[int]:
    ids = [farm.add(f"rig-{number:03}").id for number in range(count)]
    farm.tag("cpu-gpu", ids[1], "hall:2")
    return ids


def tags_of(farm: Farm) -> dict[str, list[str]]:
    return {rig["name"]: rig["tags"] for rig in farm.client.get("/api/v1/cpu-gpu-rigs").json()}


async def tick(page: Page, name: str) -> None:
    await page.get_by_role("checkbox", name=f"Choose {name}", exact=True).click()


async def test_rows_follow_while_somebody_types(farm: Farm, open_page: OpenPage) -> None:
    rigs(farm, 3)
    page = await open_page("/cpu-gpu?sort=power")
    await live(page)
    await page.keyboard.press("/")
    search = page.get_by_role("searchbox")
    await expect(search).to_be_focused()
    await page.keyboard.type("tag:hall:2")
    await expect(page.locator("#rows .row")).to_have_count(1)
    await expect(page.locator("#matches")).to_have_text("1 of 3 rigs matches")
    await page.wait_for_url("**/cpu-gpu?sort=power&select=tag%3Ahall%3A2")
    await expect(search).to_be_focused()
    await page.keyboard.insert_text(" tempreature>8")  # at once: half of it is a selection that matches nothing
    await expect(page.locator("#select-error")).to_have_text(
        "“tempreature” (character 12) is not a key. Did you mean “temperature”?"
    )
    await expect(search).to_have_attribute("aria-invalid", "true")
    await expect(page.locator("#rows .row")).to_have_count(1)
    await search.fill("")
    await expect(page.locator("#rows .row")).to_have_count(3)
    await expect(page.locator("#select-error")).to_be_empty()
    await page.wait_for_url("**/cpu-gpu?sort=power")


async def test_a_selection_stays_live(farm: Farm, open_page: OpenPage) -> None:
    farm.add("cold").report(cpu={"temperature_c": 50.0})
    hot = farm.add("hot")
    page = await open_page("/cpu-gpu?select=temperature>80")
    await live(page)
    await expect(page.locator("#rows .row")).to_have_count(0)
    hot.report(cpu={"temperature_c": 90.0})
    await expect(page.locator(f"#rig-{hot.id}")).to_be_visible()
    await expect(page.locator("#matches")).to_have_text("1 of 2 rigs matches")


async def test_shift_ticks_all_between_and_the_bar_says_what_will_happen(farm: Farm, open_page: OpenPage) -> None:
    rigs(farm, 6)
    page = await open_page("/cpu-gpu")
    bar = page.locator("#chosen")
    await expect(bar).to_be_hidden()
    await tick(page, "rig-001")
    await expect(bar).to_contain_text("1 rig chosen")
    await page.get_by_role("checkbox", name="Choose rig-004", exact=True).click(modifiers=["Shift"])
    await expect(bar).to_contain_text("4 rigs chosen")
    await tick(page, "rig-002")
    await expect(bar).to_contain_text("3 rigs chosen")
    await page.get_by_role("button", name="Change tags…").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("rig-001, rig-003, rig-004")
    await page.get_by_label("Add these tags").fill("rack:B")
    await page.get_by_label("hall:2").check()
    await page.get_by_role("button", name="Change tags of 3 rigs").click()
    await expect(dialog).to_have_count(0)
    await expect(page.locator("#rows .tag")).to_have_text(["rack:B"] * 3)
    assert {name for name, tags in tags_of(farm).items() if tags == ["rack:B"]} == {"rig-001", "rig-003", "rig-004"}
    await page.get_by_role("button", name="Choose none").click()
    await expect(bar).to_be_hidden()


async def test_all_that_match_are_chosen_on_every_page(farm: Farm, open_page: OpenPage) -> None:
    rigs(farm, 104)
    farm.add("other")
    page = await open_page("/cpu-gpu?select=rig")
    await page.get_by_role("checkbox", name="Choose all rigs on this page").click()
    await expect(page.locator("#chosen-count")).to_have_text("100 rigs chosen")
    await page.get_by_role("button", name="Choose all 104 that match").click()
    await expect(page.locator("#chosen-count")).to_have_text("104 rigs chosen")
    farm.add("rig-late")
    await expect(page.locator("#chosen-count")).to_have_text("105 rigs chosen")
    await page.get_by_role("button", name="Change tags…").click()
    await page.get_by_label("Add these tags").fill("all")
    await page.get_by_role("button", name="Change tags of 105 rigs").click()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    assert sum("all" in tags for tags in tags_of(farm).values()) == 105


async def test_what_leaves_the_page_is_no_longer_chosen(farm: Farm, open_page: OpenPage) -> None:
    rigs(farm, 3)
    page = await open_page("/cpu-gpu")
    await live(page)
    for name in ("rig-000", "rig-001"):
        await tick(page, name)
    await page.get_by_role("searchbox").fill("tag:hall:2")
    await expect(page.locator("#chosen-count")).to_have_text("1 rig chosen")


async def test_tags_of_chosen_rigs_change_by_keyboard_alone(farm: Farm, open_page: OpenPage) -> None:
    rigs(farm, 3)
    page = await open_page("/cpu-gpu")
    await tab_to(page, "Choose rig-000")
    await page.keyboard.press("Space")
    await tab_to(page, "Choose rig-002")
    await page.keyboard.press("Shift+Space")
    await expect(page.locator("#chosen-count")).to_have_text("3 rigs chosen")
    await tab_to(page, "Change tags…")
    await page.keyboard.press("Enter")
    await expect(page.get_by_label("Add these tags")).to_be_focused()
    await page.keyboard.type("night")
    await page.keyboard.press("Enter")
    await expect(page.locator("#rows .tag", has_text="night")).to_have_count(3)
    await expect(page.get_by_role("button", name="Change tags…")).to_be_focused()


async def test_one_rig_s_tags_are_edited_from_its_row_and_its_page(farm: Farm, open_page: OpenPage) -> None:
    (rig_id,) = rigs(farm, 2)[:1]
    page = await open_page("/cpu-gpu")
    await page.get_by_role("link", name="Actions for rig-000").click()
    await press_until(page, "ArrowDown", "Edit tags")
    await page.keyboard.press("Enter")
    await page.get_by_label("Tags", exact=True).fill("cellar, rack:B")
    await page.keyboard.press("Enter")
    await expect(page.locator(f"#rig-{rig_id} .tag")).to_have_text(["cellar", "rack:B"])
    await page.locator(f"#rig-{rig_id}").get_by_role("link", name="cellar").click()
    await expect(page.locator("#rows .row")).to_have_count(1)
    about = await open_page(f"/cpu-gpu/{rig_id}")
    await about.get_by_role("link", name="Edit tags").click()
    await about.get_by_label("Tags", exact=True).fill("attic")
    await about.keyboard.press("Enter")
    await expect(about.locator("#rig-head .tag")).to_have_text(["attic"])


async def test_a_view_with_its_columns_is_saved_and_opened_by_somebody_else(farm: Farm, open_page: OpenPage) -> None:
    rigs(farm, 3)
    page = await open_page("/cpu-gpu?select=tag:hall:2&sort=power")
    await page.get_by_text("Columns", exact=True).first.click()
    await page.locator(".columns-choice").get_by_label("Fan").uncheck()
    await page.locator(".columns-choice").get_by_label("IP address").check()
    await page.get_by_role("button", name="Show", exact=True).click()
    await expect(page.get_by_role("columnheader", name="IP address")).to_be_visible()
    await expect(page.get_by_role("columnheader", name="Fan")).to_have_count(0)
    await page.get_by_role("link", name="Save view").click()
    await page.get_by_label("Name", exact=True).fill("Hall 2")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("link", name="Hall 2", exact=True)).to_have_attribute("aria-current", "true")
    other = await open_page("/cpu-gpu")
    await other.get_by_role("link", name="Hall 2", exact=True).click()
    await expect(other.locator("#rows .row")).to_have_count(1)
    await expect(other.get_by_role("columnheader", name="IP address")).to_be_visible()
    await must_be_open_to_all(other)
    await other.set_viewport_size({"width": 1280, "height": 800})
    await other.get_by_role("link", name="Remove view Hall 2").click()
    await other.get_by_role("button", name="Remove view").click()
    await expect(other.get_by_role("link", name="Hall 2", exact=True)).to_have_count(0)


async def test_bar_menu_and_dialog_are_open_to_all(farm: Farm, open_page: OpenPage) -> None:
    rigs(farm, 3)
    farm.add_asic("s19-01").report()
    for path in ("/cpu-gpu", "/asics"):
        page = await open_page(path)
        await page.locator(".tick input").nth(1).click()
        await must_be_open_to_all(page)
        await page.get_by_role("button", name="Change tags…").click()
        await expect(page.get_by_role("dialog")).to_be_visible()
        await must_be_open_to_all(page)
        await page.keyboard.press("Escape")
        await page.locator("[data-menu]").first.click()
        await expect(page.get_by_role("menu")).to_be_visible()
        await must_be_open_to_all(page)


async def test_the_head_stays_in_sight_and_phones_can_sort(farm: Farm, open_page: OpenPage) -> None:
    for number in range(40):
        farm.add(f"rig-{number:02}").report(hashrate_hs=17_000.0 + number)
    page = await open_page("/cpu-gpu", viewport={"width": 1280, "height": 500})
    await page.locator("#rows .row").last.scroll_into_view_if_needed()
    await expect(page.get_by_role("columnheader", name="Power")).to_be_in_viewport()
    phone = await open_page("/cpu-gpu", viewport={"width": 360, "height": 740})
    await phone.get_by_text("Sort", exact=True).click()
    await phone.locator(".sorts").get_by_role("link", name="Hashrate").click()
    await phone.wait_for_url("**/cpu-gpu?sort=hashrate&dir=desc")
    await expect(phone.locator("#rows .row").first).to_contain_text("rig-39")
