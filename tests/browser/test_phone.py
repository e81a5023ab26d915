"""Pages on a phone and on paper: rigs come first, the important value is on the screen, nothing is cut off."""

import pytest
from playwright.async_api import FloatRect, Locator, Page, expect

from .chart_pages import chart, drawn
from .conftest import OpenPage
from .people_and_sentries import Farm, gpu_of
from .test_playbooks import settled

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

PHONE = {"viewport": {"width": 360, "height": 740}}
WIDE = {"viewport": {"width": 1280, "height": 900}}


async def box_of(place: Locator) -> FloatRect:
    box = await place.bounding_box()
    assert box is not None
    return box


async def tops_of(places: Locator) -> set[int]:
    tops = await places.evaluate_all("places => places.map(place => Math.round(place.getBoundingClientRect().top))")
    return set(tops)


@pytest.mark.parametrize("path", ["/cpu-gpu", "/asics"])
async def test_the_first_rig_stands_well_above_the_middle(farm: Farm, open_page: OpenPage, path: str) -> None:
    for number in range(4):
        farm.add(f"rig-{number}").report()
        farm.add_asic(f"asic-{number}").report()
    page = await open_page(path, **PHONE)
    assert (await box_of(page.locator("#rows .row").first))["y"] < 320
    assert len(await tops_of(page.locator(".side nav a"))) == 1, "the navigation is one line"
    assert len(await tops_of(page.locator("#totals > div"))) == 1, "the tiles are one row"
    assert len(await tops_of(page.locator("#healths li"))) == 1, "the filters are one row"


async def test_the_section_that_is_open_is_in_sight(farm: Farm, open_page: OpenPage) -> None:
    page = await open_page("/settings", **PHONE)
    link = page.locator(".side nav [aria-current]")
    await expect(link).to_have_text("Settings")
    await expect(link).to_be_in_viewport(ratio=1)


async def test_the_filter_that_is_chosen_is_in_sight(farm: Farm, open_page: OpenPage) -> None:
    farm.add_asic("asic-01").report()
    page = await open_page("/asics?faults=yes", **PHONE)
    await expect(page.locator("#healths [aria-current]")).to_be_in_viewport(ratio=1)


async def test_a_device_s_temperature_is_on_a_phone_s_screen(farm: Farm, open_page: OpenPage) -> None:
    rig = farm.add("rig-07")
    rig.tell_specs({"gpus": [{"pci_address": "0000:03:00.0", "name": "NVIDIA GeForce RTX 4090 Founders Edition"}]})
    rig.report(gpus=[gpu_of(0)])
    page = await open_page(f"/cpu-gpu/{rig.id}", **PHONE)
    row = page.locator("#rig-now tbody tr").filter(has_text="RTX 4090")
    temperature = row.get_by_text("55 °C")
    box = await box_of(temperature)
    assert box["x"] + box["width"] <= 360
    frame = page.locator("#rig-now .scroll").first
    await frame.evaluate("frame => { frame.scrollLeft = frame.scrollWidth }")
    assert (await box_of(row.locator("th")))["x"] >= 0, "the device's name stays"


async def test_tables_are_cards_on_a_phone(farm: Farm, open_page: OpenPage) -> None:
    rig, _, made = settled(farm)
    farm.client.post("/api/v1/cpu-gpu-rigs", json={"name": "x"})
    for path in ("/templates", "/mining-software", "/settings", f"/cpu-gpu/{rig.id}/playbooks/{made['playbook']}"):
        page = await open_page(path, **PHONE)
        frames = page.locator(".scroll:has(table)")
        assert await frames.count() > 0, path
        wide = await frames.evaluate_all("frames => frames.map(frame => frame.scrollWidth - frame.clientWidth)")
        assert max(wide) <= 0, path
        assert await page.locator("td[data-label]").first.evaluate("cell => getComputedStyle(cell, '::before').content")


async def test_on_paper_there_is_what_is_known_and_nothing_to_press(farm: Farm, open_page: OpenPage) -> None:
    rig = farm.add("rig-07")
    rig.report()
    page = await open_page(f"/cpu-gpu/{rig.id}", color_scheme="dark", **WIDE)
    await drawn(page)
    await page.emulate_media(media="print")
    for hidden in (page.locator(".side"), page.locator(".actions").first, page.get_by_text("As a table").first):
        await expect(hidden).to_be_hidden()
    await expect(page.get_by_role("heading", name="rig-07")).to_be_visible()
    await expect(page.locator("h1")).to_have_css("color", await _dark_on_white(page))
    assert await page.locator(".state").first.evaluate(
        "mark => getComputedStyle(mark, '::before').printColorAdjust"
    ) == ("exact")
    assert (await box_of(page.locator("main")))["x"] == 0


async def test_a_table_that_is_opened_leaves_its_neighbour_alone(farm: Farm, open_page: OpenPage) -> None:
    rig = farm.add("rig-07")
    rig.report(gpus=[gpu_of(0)])
    page = await open_page(f"/cpu-gpu/{rig.id}", **WIDE)
    await drawn(page)
    neighbour = chart(page, "Temperature")
    before = (await box_of(chart(page, "Power")))["height"]
    await chart(page, "Temperature").get_by_text("As a table").click()
    await expect(chart(page, "Temperature").locator("tbody tr").first).to_be_visible()
    assert (await box_of(neighbour))["height"] > before
    assert (await box_of(chart(page, "Power")))["height"] == before


async def test_no_tile_stands_alone(farm: Farm, open_page: OpenPage) -> None:
    rig = farm.add("rig-07")
    rig.report()
    for width in (1280, 1100, 768, 360):
        page = await open_page(f"/cpu-gpu/{rig.id}", viewport={"width": width, "height": 900})
        tiles = page.locator("#rig-now .figures > div")
        boxes = await tiles.evaluate_all(
            "all => all.map(each => { const r = each.getBoundingClientRect(); return [r.top, r.width] })"
        )
        last = [box for box in boxes if box[0] == boxes[-1][0]]
        assert len(last) > 1 or last[0][1] > 1.5 * boxes[0][1], f"one tile is alone at {width} px"


async def test_names_do_not_overlap_where_a_playbook_is_copied(farm: Farm, open_page: OpenPage) -> None:
    rig, _, made = settled(farm)
    for number in range(6):
        farm.add(f"rig-with-a-name-of-sixty-characters-{'x' * 20}-{number}")
    for width in (360, 768):
        page = await open_page(
            f"/cpu-gpu/{rig.id}/playbooks/{made['playbook']}/copy", viewport={"width": width, "height": 800}
        )
        cut = await page.locator(".ticks label").evaluate_all(
            "all => all.filter(each => { const out = each.getBoundingClientRect();"
            " const text = each.querySelector('.wrap').getBoundingClientRect();"
            " return text.right > out.right + 1 || text.bottom > out.bottom + 1 })"
            ".map(each => each.textContent)"
        )
        assert cut == [], f"names stick out at {width} px"


async def _dark_on_white(page: Page) -> str:
    """Returns the text's colour in the light scheme."""
    colour: str = await page.evaluate(
        "() => { const probe = document.body.appendChild(document.createElement('i'));"
        " probe.style.colorScheme = 'light'; probe.style.color = 'var(--text)';"
        " const found = getComputedStyle(probe).color; probe.remove(); return found }"
    )
    return colour
