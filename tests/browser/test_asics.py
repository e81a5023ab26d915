"""Pages of ASICs while sentries report and register, and other people change the farm (F7 to F10)."""

import pytest
from commander_farm import an_asic_log
from playwright.async_api import expect

from .conftest import OpenPage
from .people_and_sentries import Farm
from .test_live import live, sockets_of

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_an_asic_is_added_reports_and_is_removed(farm: Farm, open_page: OpenPage) -> None:
    index, rigs = await open_page("/asics"), await open_page("/cpu-gpu")
    frames = sockets_of(rigs)
    await rigs.reload()
    await live(rigs)
    about = await open_page("/asics?dialog=add")
    await about.get_by_label("Name", exact=True).fill("s19-07")
    await about.keyboard.press("Enter")
    await expect(about.get_by_role("heading", name="Give the ASIC sentry the token of s19-07")).to_be_visible()
    token, asic_id = await about.locator("#enrol-token").inner_text(), about.url.rpartition("/")[2]
    await expect(about.locator("#enrol-linux")).to_contain_text("asic-sentry add --ip ASIC_IP")
    await expect(about.locator("#enrol-token-linux")).to_contain_text(token)
    row = index.locator(f"#waiting-rows #rig-{asic_id}")
    await expect(row).to_contain_text("s19-07")
    await expect(index.get_by_text("1 ASIC waits for its sentry")).to_be_visible()
    await expect(index.locator('[data-total="alive"]')).to_have_text("0 of 1")

    farm.report_asics({"token": token, "specs": {"make": "Antminer", "model": "S19 Pro"}, "logs": [an_asic_log()]})
    await expect(about.locator("#enrol-first")).to_have_count(0)
    await expect(about.locator('[data-figure="hashrate"]').first).to_have_text("110 TH/s")
    await expect(about.locator('[data-figure="efficiency"]')).to_have_text("29.5 J/TH")
    row = index.locator(f"#rows #rig-{asic_id}")
    await expect(row.locator('[data-figure="hashrate"]')).to_contain_text("110 TH/s")
    await expect(row).to_contain_text("Antminer S19 Pro")
    await expect(index.locator("#waiting")).to_be_hidden()
    await expect(index.locator('[data-total="hashrate-Bitcoin"]')).to_have_text("110 TH/s")

    farm.report_asics({"token": token, "logs": [an_asic_log() | {"faults": ["temperature"], "hashrate_hs": 71e12}]})
    await expect(row.get_by_text("Too hot")).to_be_visible()
    await expect(about.get_by_role("heading", name="Too hot (since ")).to_be_visible()

    await about.get_by_role("link", name="Rename").click()
    await about.get_by_label("Name", exact=True).fill("s19-08")
    await about.keyboard.press("Enter")
    await expect(row).to_contain_text("s19-08")

    await index.get_by_role("link", name="Actions for s19-08").click()
    await index.get_by_role("menuitem", name="Remove").click()
    await index.get_by_role("button", name="Remove s19-08").click()
    await about.wait_for_url("**/asics?removed=s19-08")
    await expect(about.get_by_text("s19-08 was removed.")).to_be_visible()
    await expect(index.locator('[data-total="alive"]')).to_have_text("0 of 0")
    await expect(index.get_by_text("No ASICs yet")).to_be_visible()
    result = farm.report_asics({"token": token, "logs": [an_asic_log()]})
    assert result[0]["error"] == "rig_removed"
    assert frames[:1] == ["opened"]
    assert not [frame for frame in frames if "s19-0" in frame or "/asics" in frame], (
        "a page of CPU/GPU rigs gets nothing about ASICs"
    )


@pytest.mark.parametrize("width", [1440, 360])
async def test_no_part_of_a_row_reaches_into_another(farm: Farm, open_page: OpenPage, width: int) -> None:
    asic = farm.add_asic("hall-2-rack-07-s19-07")
    asic.report(power_w=3250.0)
    page = await open_page("/asics", viewport={"width": width, "height": 800})
    await expect(page.locator(f"#rows #rig-{asic.id}")).to_be_visible()
    overlaps = await page.locator(f"#rows #rig-{asic.id} .cell").evaluate_all(
        """cells => {
            const boxes = cells.flatMap(cell => [...cell.querySelectorAll("a, span, small, b, time"), cell])
                .filter(each => !each.children.length && each.textContent.trim())
                .map(each => [each.textContent.trim(), each.getBoundingClientRect()])
                .filter(([, box]) => box.width && box.height);
            const meet = (one, other) => one.left < other.right - 1 && other.left < one.right - 1
                && one.top < other.bottom - 4 && other.top < one.bottom - 4;
            return boxes.flatMap(([text, box], at) => boxes.slice(at + 1)
                .filter(([, other]) => meet(box, other)).map(([other]) => `${text} | ${other}`));
        }"""
    )
    assert overlaps == []
    texts = await page.locator(f"#rows #rig-{asic.id} [data-figure]").evaluate_all(
        "cells => cells.filter(each => each.scrollWidth > each.clientWidth).map(each => each.textContent.trim())"
    )
    assert texts == [], "they stick out of their cells"


async def test_fifty_adopted_asics_are_seen_by_everybody(farm: Farm, open_page: OpenPage) -> None:
    index, settings = await open_page("/asics"), await open_page("/settings")
    await live(index)
    await settings.get_by_label("Name of a new site").fill("hall 1")
    await settings.keyboard.press("Enter")
    site = {"Authorization": f"Bearer {await settings.locator('#created-site').inner_text()}"}
    found = [{"name": f"KS5L-10.0.0.{number:02}", "key": f"02:00:5E:00:00:{number:02X}"} for number in range(50)]
    answer = farm.client.post("/api/v1/sentry/asic-rigs", json={"rigs": found}, headers=site)
    assert answer.status_code == 201, answer.text
    await expect(index.locator("#waiting-rows .row")).to_have_count(50)
    await expect(index.locator('[data-total="alive"]')).to_have_text("0 of 50")
    farm.report_asics(*({"token": rig["token"], "logs": [an_asic_log()]} for rig in answer.json()["rigs"]))
    await expect(index.locator("#rows .row")).to_have_count(50)
    await expect(index.locator("#waiting-rows .row")).to_have_count(0)
    await expect(index.locator('[data-total="alive"]')).to_have_text("50 of 50")
    names = await index.locator("#rows [role=rowheader] a").all_text_contents()
    assert names == sorted(names), "each row was put where it belongs"
    await settings.reload()
    await expect(settings.locator("#sites-title")).to_be_visible()
    await expect(settings.get_by_role("row", name="hall 1")).not_to_contain_text("Never")
