"""The whole way of an ASIC in Chromium: the commander's dialog, the sentry's page, the live figures, and the end of it.
And the sentry's page by itself: open to all, alive without a reload."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.asic_sentry import PORT_BASE, AsicSentryProcess, fake_asics, running_asic_sentry
from tests.farm import CommanderProcess

from .conftest import OpenPage
from .people_and_sentries import Farm
from .test_looks import must_be_open_to_all

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(240)]

NETWORK = f"127.{100 + os.getpid() % 100}.{os.getpid() // 100 % 256}.0/24"
ICERIVER, ANTMINER = str(PORT_BASE + 80), str(PORT_BASE + 4028)
PATIENCE_MS = 60_000


@pytest.fixture
def sentry(tmp_path: Path) -> Iterator[AsicSentryProcess]:
    with running_asic_sentry(tmp_path / "sentry") as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser, sentry: AsicSentryProcess) -> AsyncIterator[Page]:
    """The sentry's own."""
    context = await browser.new_context(base_url=sentry.page)
    context.set_default_timeout(PATIENCE_MS)
    opened = await context.new_page()
    await opened.goto(sentry.must("page").strip())
    yield opened
    await context.close()


def address(number: int) -> str:
    return NETWORK.replace("0/24", str(number))


async def add_by_page(page: Page, ip: str, token: str, port: str = ICERIVER) -> None:
    form = page.locator('form[action="/add"]')
    await form.get_by_label("IP").fill(ip)
    await form.get_by_label("Port").fill(port)
    await form.get_by_label("Token").fill(token)
    async with page.expect_event("domcontentloaded"):  # the page before it is live
        await form.get_by_role("button").click()


async def test_an_asic_from_the_dialog_to_its_removal(
    farm: Farm, open_page: OpenPage, page: Page, sentry: AsicSentryProcess, commander: CommanderProcess
) -> None:
    with fake_asics(NETWORK, 2, "--kinds", "iceriver"):
        index = await open_page("/asics?dialog=add")
        index.set_default_timeout(PATIENCE_MS)
        await index.get_by_label("Name", exact=True).fill("ks-01")
        await index.keyboard.press("Enter")
        token = (await index.locator("#enrol-token").text_content() or "").strip()
        sentry.must("connect", "--url", commander.url)

        await add_by_page(page, address(9), token)
        await expect(page.locator("#ip-error")).to_contain_text("refused", timeout=PATIENCE_MS)
        await expect(page.locator("#asic-token-error")).to_have_count(0)
        await add_by_page(page, address(1), token)
        row = page.locator("#asics tbody tr")
        await expect(row).to_contain_text("TH/s", timeout=PATIENCE_MS)
        await expect(row).to_contain_text("Online")
        await expect(page.locator("body")).to_have_attribute("data-live", "yes")

        rig = next(each for each in farm.client.get("/api/v1/asic-rigs").json() if each["name"] == "ks-01")
        shown = await open_page(f"/asics/{rig['id']}")
        await expect(shown.get_by_text("KS5L").first).to_be_visible(timeout=PATIENCE_MS)
        farm.client.delete(f"/api/v1/asic-rigs/{rig['id']}").raise_for_status()
        await shown.wait_for_url("**/asics*", timeout=PATIENCE_MS)
        await expect(row).to_contain_text("Invalid token", timeout=PATIENCE_MS)
        await expect(row).to_contain_text("TH/s")
        await page.get_by_role("link", name=f"New token for {address(1)}").click()
        await expect(page.get_by_role("textbox", name="New token")).to_be_visible()


async def test_the_page_is_open_to_all_and_follows_other_programs(
    farm: Farm, page: Page, sentry: AsicSentryProcess, commander: CommanderProcess
) -> None:
    await must_be_open_to_all(page)
    site = farm.client.post("/api/v1/site-tokens", json={"name": f"page {os.getpid()}"}).raise_for_status().json()
    with fake_asics(NETWORK, 6, "--kinds", "iceriver,antminer", "--fault", "silent:20"):
        sentry.must("connect", "--url", commander.url, "--site-token", site["token"])
        sentry.must("set", "--model", "IceRiver KS5L", "--power-w", "3400")
        sentry.must("scan", NETWORK, f"--port={ICERIVER}", f"--port={ANTMINER}", "--adopt")
        rows = page.locator("#asics tbody tr")
        await expect(rows.first).to_contain_text("TH/s", timeout=PATIENCE_MS)
        await expect(page.locator("#asics")).to_contain_text("entered", timeout=PATIENCE_MS)
        await page.get_by_role("textbox", name="Network").fill(NETWORK)
        async with page.expect_event("domcontentloaded"):
            await page.get_by_role("button", name="Scan network").click()
        await expect(page.locator("#scan-progress")).to_contain_text("Done", timeout=PATIENCE_MS)
        await must_be_open_to_all(page)
        await page.goto("/?change=1#change")
        await must_be_open_to_all(page)
        await add_by_page(page, "here", "x")
        await expect(page.locator("#asic-token-error")).to_be_visible()
        await must_be_open_to_all(page)
