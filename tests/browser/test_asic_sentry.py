"""The whole way of an ASIC's figures: fake ASICs, a real sentry with its page, a real commander, people who look."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import IPv4Network
from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, expect

from tests.farm import ROOT, CommanderProcess
from tests.sentry import ASIC_SENTRY, SentryProcess, running_sentry

from .conftest import OpenPage
from .people_and_sentries import Farm
from .test_live import live

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
# Scans ask the usual ports, so that the addresses have to be those of this process alone.
NETWORK = IPv4Network(f"127.{100 + os.getpid() % 100}.{os.getpid() // 100 % 256}.0/26")
SOON_MS = 60_000


@contextmanager
def fake_asics(count: int) -> Iterator[list[str]]:
    """Antminers and Whatsminers on the network's first addresses; yields these."""
    script = ROOT / "devtools" / "fake_asics.py"
    options = ("--count", str(count), "--network", str(NETWORK), "--kinds", "antminer,whatsminer")
    with subprocess.Popen([sys.executable, script, *options], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith(f"{count} fake ASICs on {NETWORK[1]} ")
        try:
            yield [str(NETWORK[number]) for number in range(1, count + 1)]
        finally:
            process.terminate()
            said = process.communicate(timeout=60)[0]
    assert '"violations": {}' in said, "an ASIC was sent what no monitoring needs"


@pytest.fixture
def sentry(tmp_path: Path) -> Iterator[SentryProcess]:
    with running_sentry(tmp_path / "sentry", ASIC_SENTRY) as running:
        yield running


async def connect(page: Page, commander: CommanderProcess, token: str = "") -> None:
    form = page.locator('form[action="/connect"]')
    await form.get_by_label("URL of the commander").fill(commander.url)
    await form.get_by_label("Site token").fill(token)
    async with page.expect_event("domcontentloaded"):  # the page before it is live, and may say the same
        await form.get_by_role("button").click()
    await expect(page.locator("#status").get_by_text("Connected", exact=True)).to_be_visible()


async def moved(figure: Locator) -> None:
    """Its title tells it exactly; the text may stay the same for half a minute."""
    before = await figure.get_attribute("title")
    assert before
    await expect(figure).not_to_have_attribute("title", before, timeout=SOON_MS)


async def added(open_page: OpenPage, name: str) -> tuple[Page, str]:
    """The page of a new ASIC in the commander, and the token that it shows."""
    page = await open_page("/asics?dialog=add")
    await page.get_by_label("Name", exact=True).fill(name)
    await page.keyboard.press("Enter")
    return page, await page.locator("#enrol-token").inner_text()


async def give(page: Page, ip: str, token: str) -> None:
    """An ASIC's address and token to the sentry's page, which checks both."""
    form = page.locator('form[action="/add"]')
    await form.get_by_label("IP", exact=True).fill(ip)
    await form.get_by_label("Token").fill(token)
    async with page.expect_event("domcontentloaded"):
        await form.get_by_role("button").click()
    await expect(page.get_by_role("row", name=ip)).to_be_visible()


async def test_an_asic_is_added_seen_live_and_removed_and_its_neighbour_goes_on(
    farm: Farm, open_page: OpenPage, commander: CommanderProcess, sentry: SentryProcess
) -> None:
    with fake_asics(2) as ips:
        index = await open_page("/asics")
        local = await open_page(sentry.run("page").stdout.strip(), logged_in=False)
        await connect(local, commander)
        (about, first), (_, second) = await added(open_page, "hall-1"), await added(open_page, "hall-2")
        for ip, token in zip(ips, (first, second), strict=True):
            await give(local, ip, token)
        hashrate = about.locator('[data-figure="hashrate"]').first
        await expect(hashrate).to_contain_text("TH/s", timeout=SOON_MS)
        await expect(about.locator("#enrol-first")).to_have_count(0)
        await expect(about.get_by_role("row", name="Board 1")).to_be_visible()
        await moved(hashrate)
        await expect(index.locator("#rows .row.online")).to_have_count(2, timeout=SOON_MS)
        await expect(index.locator("#rows")).to_contain_text("Antminer")
        await expect(index.locator('[data-total="alive"]')).to_have_text("2 of 2")

        await about.get_by_role("link", name="Remove").click()
        await about.get_by_role("button", name="Remove hall-1").click()
        await about.wait_for_url("**/asics?removed=hall-1")
        await expect(index.locator('[data-total="alive"]')).to_have_text("1 of 1")
        row = local.get_by_role("row", name=ips[0])
        await expect(row.get_by_text("Invalid token")).to_be_visible(timeout=SOON_MS)
        await expect(row.get_by_role("link", name="New token")).to_be_visible()
        await expect(local.get_by_role("row", name=ips[1]).get_by_text("Online")).to_be_visible()
        await moved(index.locator("#rows .row [data-figure=hashrate] b"))


async def test_a_scan_finds_fifty_that_are_adopted_and_seen(
    farm: Farm, open_page: OpenPage, commander: CommanderProcess, sentry: SentryProcess
) -> None:
    with fake_asics(50) as ips:
        index, settings = await open_page("/asics"), await open_page("/settings")
        await live(index)
        await settings.get_by_label("Name of a new site").fill("hall 1")
        await settings.keyboard.press("Enter")
        token = await settings.locator("#created-site").inner_text()
        local = await open_page(sentry.run("page").stdout.strip(), logged_in=False)
        await connect(local, commander, token)
        await local.locator("#network").fill(str(NETWORK))
        async with local.expect_event("domcontentloaded"):
            await local.get_by_role("button", name="Scan network").click()
        ticks = local.locator('#scan input[type="checkbox"]:checked')
        await expect(ticks).to_have_count(50, timeout=SOON_MS)
        await local.get_by_role("button", name="Adopt those that are ticked").click()
        await expect(index.locator("#rows .row.online")).to_have_count(50, timeout=SOON_MS)
        await expect(index.locator("#waiting-rows .row")).to_have_count(0)
        await expect(index.locator('[data-total="alive"]')).to_have_text("50 of 50")
        names = await index.locator("#rows [role=rowheader] a").all_text_contents()
        assert all(any(name.endswith(ip) for name in names) for ip in ips)
