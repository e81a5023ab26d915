"""Real Chromium in front of a real commander."""

import asyncio
import shutil
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, closing, suppress
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from tests.farm import PASSWORD, CommanderProcess, running_commander

from .people_and_sentries import Farm, Rig, past_of

ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE_MS = 20_000
CLOSED_WITHIN_S = 30
expect.set_options(timeout=PATIENCE_MS)
OpenPage = Callable[..., Awaitable[Page]]


@pytest.fixture(scope="session")
def commander(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CommanderProcess]:
    folder: Path = tmp_path_factory.mktemp("commander")
    with running_commander(folder) as commander:
        yield commander


@pytest.fixture(scope="session")
def session_farm(commander: CommanderProcess) -> Iterator[Farm]:
    farm = Farm.of(commander)
    yield farm
    farm.client.close()


@pytest.fixture
def farm(session_farm: Farm, commander: CommanderProcess) -> Farm:
    """An empty farm. All sessions count as confirmed: the tests last longer than ten minutes."""
    with closing(sqlite3.connect(commander.data_dir / "commander.db", timeout=20)) as connection, connection:
        connection.execute("UPDATE sessions SET confirmed_at = ?", (time.time_ns() // 1000,))
    session_farm.clear()
    return session_farm


@pytest.fixture
def rig(farm: Farm) -> Rig:
    """It has reported for two hours, but for ten minutes in the last one."""
    rig = farm.add("rig-07")
    rig.send(past_of(minutes=120, gap=(40, 30), gpus=2))
    return rig


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    chromium = shutil.which("chromium") or "/usr/bin/chromium"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS, timeout=120_000)
        yield browser
        await closed(browser)


async def closed(part: Browser | BrowserContext) -> None:
    """Closes it. Chromium may never answer while a page is being loaded; then it ends with its driver."""
    with suppress(TimeoutError):
        async with asyncio.timeout(CLOSED_WITHIN_S):
            await part.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def log_in_state(browser: Browser, commander: CommanderProcess) -> dict[str, object]:
    """The cookies of somebody who has logged in: a hash of the password takes long, on purpose."""
    context = await browser.new_context(ignore_https_errors=True)
    page = await context.new_page()
    await page.goto(f"{commander.url}/login")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.keyboard.press("Enter")
    await page.wait_for_url(f"{commander.url}/")
    state: dict[str, object] = dict(await context.storage_state())
    await context.close()
    return state


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(
    browser: Browser, commander: CommanderProcess, log_in_state: dict[str, object]
) -> AsyncIterator[OpenPage]:
    """Opens a page in a browser of its own: `open_page("/settings", logged_in=…, **context options)`."""
    async with AsyncExitStack() as stack:

        async def open_one(path: str, *, logged_in: bool = True, **options: object) -> Page:
            state = {"storage_state": log_in_state} if logged_in else {}
            context: BrowserContext = await browser.new_context(
                ignore_https_errors=True,
                base_url=commander.url,
                **{**state, **options},  # type: ignore[arg-type]  # playwright's own keywords
            )
            stack.push_async_callback(closed, context)
            context.set_default_timeout(PATIENCE_MS)
            page = await context.new_page()
            await page.goto(path)
            return page

        yield open_one
