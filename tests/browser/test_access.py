"""Access in a browser: the second factor, and the password that is asked for again without losing what was typed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pyotp
import pytest
from commander.accounts.tables import sessions
from commander.db import open_database
from playwright.async_api import Page, expect

from tests.farm import PASSWORD, CommanderProcess

from .conftest import OpenPage
from .people_and_sentries import Farm

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@asynccontextmanager
async def stale(commander: CommanderProcess) -> AsyncIterator[None]:
    """Inside, nobody has typed the password in the last ten minutes."""
    url = f"sqlite:///{commander.data_dir / 'commander.db'}"
    async with open_database(url) as database:
        for confirmed_at in (None, datetime.now(UTC)):
            async with database.transaction() as db:
                await db.execute(sessions.update().values(confirmed_at=confirmed_at))
            if confirmed_at is None:
                yield


async def fill_pool(page: Page) -> None:
    await page.get_by_role("link", name="Add pool").click()
    dialog = page.get_by_role("dialog")
    await dialog.get_by_label("Name").fill("Main pool")
    await dialog.get_by_label("Coin").fill("Monero")
    await dialog.get_by_label("Address").fill("pool.example:443")
    await dialog.get_by_role("button", name="Add").click()


async def test_a_new_pool_asks_for_the_password_in_its_dialog_and_is_then_saved(
    farm: Farm, open_page: OpenPage, commander: CommanderProcess
) -> None:
    page = await open_page("/templates")
    async with stale(commander):
        await fill_pool(page)
        dialog = page.get_by_role("dialog")
        await expect(dialog.get_by_role("heading", name="Confirm that it is you")).to_be_visible()
        await dialog.get_by_label("Password").fill("wrong")
        await page.keyboard.press("Enter")
        await expect(dialog.get_by_text("That is not your password")).to_be_visible()
        await dialog.get_by_label("Password").fill(PASSWORD)
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("dialog")).to_have_count(0)
        await expect(page.get_by_role("rowheader", name="Main pool")).to_be_visible()


async def test_a_second_factor_is_switched_on_and_off(
    farm: Farm, open_page: OpenPage, commander: CommanderProcess
) -> None:
    page = await open_page("/access")
    await page.get_by_role("link", name="Switch on").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog.locator("svg")).to_be_visible()
    secret = (await dialog.locator("code").inner_text()).replace(" ", "")
    await dialog.get_by_label("Code").fill("000000")
    await page.keyboard.press("Enter")
    await expect(dialog.get_by_text("That is not the code")).to_be_visible()
    assert (await dialog.locator("code").inner_text()).replace(" ", "") == secret, "the app has this one"
    await dialog.get_by_label("Code").fill(pyotp.TOTP(secret).now())
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    await page.goto("/access")
    await page.get_by_role("link", name="Switch off").click()
    await page.get_by_role("dialog").get_by_role("button", name="Switch off").click()
    await expect(page.get_by_role("link", name="Switch on")).to_be_visible()


async def test_a_viewer_logs_in_by_name_and_is_offered_nothing_to_change(farm: Farm, open_page: OpenPage) -> None:
    farm.add("rig-07")
    body = {"name": "anna", "role": "view", "password": "a long password"}
    access = farm.client.post("/api/v1/accesses", json=body).json()
    try:
        page = await open_page("/login", logged_in=False)
        async with asyncio.timeout(60):
            while not await page.get_by_label("Name").count():
                await page.reload()
        await page.get_by_label("Name").fill("anna")
        await page.get_by_label("Password").fill("a long password")
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/")
        await page.goto("/cpu-gpu")
        await expect(page.get_by_role("link", name="rig-07", exact=True)).to_be_visible()
        await expect(page.get_by_role("link", name="Add rig")).to_have_count(0)
        await page.get_by_role("link", name="rig-07", exact=True).click()
        await page.wait_for_url("**/cpu-gpu/*")  # the whole page
        await expect(page.get_by_role("heading", name="rig-07")).to_be_visible()
        for word in ("Rename", "Remove", "New token", "Command"):
            await expect(page.get_by_text(word, exact=True)).to_have_count(0)
    finally:
        farm.client.delete(f"/api/v1/accesses/{access['id']}")
