"""The page of all tags: a spreadsheet changes them after a preview, by keyboard too, and open pages follow."""

import re
from pathlib import Path

import pytest
from playwright.async_api import expect

from .conftest import OpenPage
from .people_and_sentries import Farm
from .test_choosing import tags_of
from .test_dialogs import tab_to
from .test_live import live
from .test_looks import must_be_open_to_all

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_a_file_is_downloaded_changed_and_imported(farm: Farm, open_page: OpenPage, tmp_path: Path) -> None:
    first = farm.add("rig-01")
    farm.add("rig-02")
    farm.tag("cpu-gpu", first.id, "hall:1")
    page, other = await open_page("/tags"), await open_page("/tags")
    await live(other)
    async with page.expect_download() as download:
        await page.get_by_role("link", name="Download as CSV").click()
    file = tmp_path / "tags.csv"
    await (await download.value).save_as(file)
    text = file.read_text()
    assert text.splitlines() == ["kind,name,tags", "cpu-gpu,rig-01,hall:1", "cpu-gpu,rig-02,"]
    file.write_text(text.replace("hall:1", "hall:2; night").replace("rig-02,", "rig-02,hall:2") + "cpu-gpu,rig-99,x\n")
    await page.get_by_label("File", exact=True).set_input_files(file)
    await expect(page.get_by_label("Or paste it here")).to_have_value(re.compile("rig-99"))  # the page reads the file
    await page.get_by_role("button", name="Show what changes").click()
    await expect(page.get_by_role("heading", name="The file changes the tags of 2 rigs")).to_be_visible()
    await expect(page.get_by_text("rig-99")).to_be_visible()
    assert tags_of(farm) == {"rig-01": ["hall:1"], "rig-02": []}
    await must_be_open_to_all(page)
    await page.get_by_role("button", name="Change the tags of 2 rigs").click()
    await expect(page.get_by_text("The tags of 2 rigs were changed.")).to_be_visible()
    assert tags_of(farm) == {"rig-01": ["hall:2", "night"], "rig-02": ["hall:2"]}
    await expect(other.get_by_role("link", name="2 CPU/GPU rigs with hall:2")).to_be_visible()
    await expect(other.get_by_role("row", name="hall:1")).to_have_count(0)


async def test_tags_are_pasted_by_keyboard_alone_and_mistakes_are_named(farm: Farm, open_page: OpenPage) -> None:
    farm.add("rig-01")
    page = await open_page("/tags")
    await must_be_open_to_all(page)
    await page.get_by_label("Or paste it here").focus()
    await page.keyboard.type("name;tags\nrig-01;a\n")
    await tab_to(page, "Show what changes")
    await page.keyboard.press("Enter")
    field = page.get_by_label("Or paste it here")
    await expect(field).to_have_attribute("aria-invalid", "true")
    await must_be_open_to_all(page)
    await field.fill("kind;name;tags\ncpu-gpu;rig-01;pdu:4b\n")
    await tab_to(page, "Show what changes")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="The file changes the tags of 1 rig")).to_be_visible()
    await tab_to(page, "Change the tags of 1 rig")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("The tags of 1 rig were changed.")).to_be_visible()
    assert tags_of(farm) == {"rig-01": ["pdu:4b"]}


async def test_its_numbers_follow_changes_on_other_pages(farm: Farm, open_page: OpenPage) -> None:
    rigs = [farm.add(f"rig-{number}") for number in range(2)]
    page = await open_page("/tags")
    await live(page)
    await expect(page.get_by_text("No rig has a tag yet")).to_be_visible()
    for rig in rigs:
        farm.tag("cpu-gpu", rig.id, "hall:2")
    await expect(page.get_by_role("link", name="2 CPU/GPU rigs with hall:2")).to_be_visible()
    farm.remove(rigs[0])
    await expect(page.get_by_role("link", name="1 CPU/GPU rigs with hall:2")).to_be_visible()
