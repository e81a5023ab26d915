"""A rig is added, and its card follows the sentry: installed, connected, first report."""

import httpx
import pytest
from playwright.async_api import expect

from .conftest import OpenPage
from .people_and_sentries import Farm, log_of
from .test_live import live
from .test_looks import must_be_open_to_all

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest.mark.parametrize("script", [True, False], ids=["script", "no script"])
async def test_tabs_need_no_script(farm: Farm, open_page: OpenPage, script: bool) -> None:
    page = await open_page("/cpu-gpu?dialog=add", java_script_enabled=script)
    await page.get_by_label("Name", exact=True).fill("rig-07")
    await page.keyboard.press("Enter")
    lines = (page.locator(f"#{name}") for name in ("enrol-line-linux", "enrol-line-windows", "enrol-token"))
    linux, windows, token = lines
    await expect(linux).to_contain_text("/install/cpu-gpu.sh | sudo sh -s -- mw_rig_")
    steps = page.locator("#enrol-linux")
    await expect(steps).to_be_hidden()
    await page.get_by_text("Step by step").first.click()
    await expect(steps).to_contain_text("cpu-gpu-sentry enroll --url")
    await expect(steps).to_be_visible()
    await expect(windows).to_be_hidden()
    await page.get_by_text("Windows (PowerShell)").click()
    await expect(windows).to_be_visible()
    await expect(linux).to_be_hidden()
    await page.keyboard.press("ArrowRight")
    await expect(token).to_be_visible()


async def test_the_card_ticks_what_the_sentry_has_done(farm: Farm, open_page: OpenPage) -> None:
    rig = farm.add("rig-07")
    rig.report()
    page = await open_page(f"/cpu-gpu/{rig.id}?dialog=token")
    await page.get_by_role("button", name="Create a new token").click()
    ticks = page.locator("#enrol-ticks li")
    await expect(ticks).to_have_text(["Not installed yet", "Not connected yet", "No report yet"])
    await live(page)
    await must_be_open_to_all(page)
    headers = {"Authorization": f"Bearer {await page.locator('#enrol-token').inner_text()}"}
    told(farm.client.post("/api/v1/sentry/installed", headers=headers))
    await expect(ticks).to_have_text(["Installed ✓", "Not connected yet", "No report yet"])
    told(farm.client.get("/api/v1/sentry", headers=headers))
    await expect(ticks).to_have_text(["Installed ✓", "Connected ✓", "No report yet"])
    told(farm.client.post("/api/v1/sentry/logs", json={"logs": [log_of(17_000)]}, headers=headers))
    await expect(ticks).to_have_text(["Installed ✓", "Connected ✓", "First report ✓"])


def told(answer: httpx.Response) -> None:
    assert answer.is_success, answer.text
