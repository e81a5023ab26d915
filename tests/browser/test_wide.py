"""Pages in wide windows have more columns, and in narrow ones an icon in place of each entry of the navigation."""

import pytest
from playwright.async_api import expect

from .conftest import OpenPage
from .people_and_sentries import Farm, gpu_of
from .test_looks import must_be_open_to_all

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_a_wide_window_shows_more_columns_until_somebody_chooses(farm: Farm, open_page: OpenPage) -> None:
    rig = farm.add("rig-07")
    rig.report(hashrate_hs=21_100.0, gpus=[gpu_of(0), gpu_of(1)], cpu={"power_w": 100.0})
    page = await open_page("/cpu-gpu", viewport={"width": 2560, "height": 900})
    row = page.locator(f"#rig-{rig.id}")
    texts = {"share": "–", "gpus": "2", "efficiency": "61.9 H/W", "pool": "pool.example:443", "ip": "192.168.1.20"}
    for name, text in texts.items():
        await expect(row.locator(f'[data-figure="{name}"]')).to_be_visible()
        await expect(row.locator(f'[data-figure="{name}"]')).to_have_text(text)
    await expect(page.get_by_role("columnheader", name="Efficiency")).to_be_visible()
    await must_be_open_to_all(page)
    for width, count in ((2560, 5), (1920, 2), (1280, 0), (360, 0)):
        await page.set_viewport_size({"width": width, "height": 900})
        await expect(row.locator(".extra").filter(visible=True)).to_have_count(count)
    await page.set_viewport_size({"width": 1280, "height": 900})
    await page.get_by_text("Columns", exact=True).first.click()
    chooser = page.locator(".columns-choice")
    await expect(chooser.get_by_label("Efficiency")).to_be_checked()
    await chooser.get_by_label("Pool", exact=True).uncheck()
    await page.get_by_role("button", name="Show", exact=True).click()
    await expect(page.get_by_role("columnheader", name="Efficiency")).to_be_visible()
    await expect(row.locator('[data-figure="pool"]')).to_have_count(0)


async def test_nothing_is_empty_on_the_right_of_a_wide_window(farm: Farm, open_page: OpenPage) -> None:
    farm.add("rig-07").report()
    for path in ("/cpu-gpu", "/asics", "/commands", "/audit"):
        page = await open_page(path, viewport={"width": 2560, "height": 900})
        right = await page.locator("main > *").evaluate_all(
            "parts => Math.max(...parts.map(part => part.getBoundingClientRect().right))"
        )
        assert right > 2_480, path


async def test_the_form_for_tags_stays_narrow_in_a_wide_window(farm: Farm, open_page: OpenPage) -> None:
    page = await open_page("/tags", viewport={"width": 2560, "height": 900})
    width = await page.locator("form[data-file-form]").evaluate("form => form.getBoundingClientRect().width")
    assert 600 < width <= 60 * 16


async def test_the_navigation_is_icons_with_names_in_a_narrow_window(farm: Farm, open_page: OpenPage) -> None:
    page = await open_page("/cpu-gpu", viewport={"width": 1000, "height": 700})
    assert (await page.locator(".side").evaluate("side => side.getBoundingClientRect().width")) < 80
    link = page.get_by_role("link", name="Audit log", exact=True)
    await expect(link).to_have_attribute("title", "Audit log")
    await expect(link.locator("svg")).to_be_visible()
    await must_be_open_to_all(page)
    await page.set_viewport_size({"width": 1000, "height": 700})
    await link.focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Audit log")).to_be_visible()
    await page.set_viewport_size({"width": 1280, "height": 700})
    await expect(page.get_by_role("link", name="Audit log", exact=True)).to_contain_text("Audit log")
