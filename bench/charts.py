"""The cost of charts in a browser: headless Chromium draws eight cards and keeps them up to date."""

import asyncio
import json
import random
import shutil
import statistics
import tempfile
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from playwright.async_api import CDPSession, Page, Route, async_playwright

from bench.table import no_peer, row
from tests.farm import PASSWORD, CommanderProcess, running_commander

CARDS, POINTS, LOADS, REPORTS = 8, 10_000, 8, 20
ADDRESSES = [f"0000:{3 + card:02x}:00.0" for card in range(CARDS)]


def chart_rows() -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        running_commander(Path(folder)) as commander,
        commander.client(commander.api_key()) as people,
    ):
        rig = people.post("/api/v1/cpu-gpu-rigs", json={"name": "rig-07"}).raise_for_status().json()
        sentry = Sentry(people, rig["token"])
        for minutes_ago in range(60, 0, -1):
            sentry.report(minutes_ago=minutes_ago)
        asyncio.run(in_chromium(commander, sentry, f"/cpu-gpu/{rig['id']}"))


@dataclass
class Sentry:
    client: httpx.Client
    token: str

    def report(self, *, minutes_ago: float = 0) -> None:
        cards = [{"pci_address": address, "power_w": 120 + 20 * random.random()} for address in ADDRESSES]
        taken_at = datetime.now(UTC) - timedelta(minutes=minutes_ago)
        headers = {"Authorization": f"Bearer {self.token}"}
        log = {"taken_at": taken_at.isoformat(), "gpus": cards}
        self.client.post("/api/v1/sentry/logs", json={"logs": [log]}, headers=headers).raise_for_status()


async def in_chromium(commander: CommanderProcess, sentry: Sentry, path: str) -> None:
    async with async_playwright() as playwright:
        chromium = shutil.which("chromium") or "/usr/bin/chromium"
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = await browser.new_page(base_url=commander.url, ignore_https_errors=True)
        await page.goto("/login")
        await page.get_by_label("Password").fill(PASSWORD)
        await page.keyboard.press("Enter")
        await page.wait_for_url("**/cpu-gpu")
        await rows(page, sentry, path)
        await browser.close()


async def rows(page: Page, sentry: Sentry, path: str) -> None:
    answer = long_answer()
    await page.route("**/history?*", lambda route: fulfil(route, answer))
    busy = await Busy.of(page)
    await page.goto(path)
    await drawn(page)
    loads = [await busy.during(load(page, span)) for span in ("1h", "24h") * (LOADS // 2)]
    row(f"{POINTS:,} points for each of {CARDS + 1} lines", f"{statistics.median(loads):.0f} ms", "parsed, drawn, told")
    moves = await busy.during(move(page))
    row("  its cursor moved 100 times", f"{moves / 100:.2f} ms each", "main thread")
    live = [await busy.during(reported(page, sentry)) for _ in range(REPORTS)]
    row("  one more log", f"{statistics.median(live):.0f} ms", "main thread; the rest of the page too")
    no_peer("the drawing library's own time is a part of it")


def long_answer() -> str:
    """As the commander writes it, with more points than it gives."""
    step_s, start = 8, datetime.now(UTC) - timedelta(seconds=8 * POINTS)
    times = [(start + timedelta(seconds=step_s * at)).isoformat() for at in range(POINTS)]
    lines = []
    for device in [None, *ADDRESSES]:
        mean = [round(120 + 20 * random.random(), 1) for _ in range(POINTS)]
        low, high = [value - 3 for value in mean], [value + 3 for value in mean]
        series = {"figure": "power_w", "device": device, "algorithm": None, "coin": None}
        lines.append(series | {"mean": mean, "min": low, "max": high})
    return json.dumps({"step_s": step_s, "times": times, "series": lines, "events": []})


async def fulfil(route: Route, answer: str) -> None:
    await route.fulfill(body=answer, content_type="application/json")


async def drawn(page: Page) -> None:
    await page.wait_for_selector("history-charts:not([aria-busy]) .u-over")


async def load(page: Page, span: str) -> None:
    async with page.expect_response("**/history?*"):
        await page.locator(f'[data-range="{span}"]').click()
    await drawn(page)
    keys = page.locator(".key[aria-pressed=false]")
    while await keys.count():
        await keys.first.click()


async def move(page: Page) -> None:
    plot = page.locator(".u-over").first
    await plot.scroll_into_view_if_needed()
    box = await plot.bounding_box()
    if box:
        for step in range(100):
            await page.mouse.move(box["x"] + step * box["width"] / 100, box["y"] + 50)


async def reported(page: Page, sentry: Sentry) -> None:
    before = await page.locator("#chart-now").get_attribute("value")
    await asyncio.to_thread(sentry.report)
    await page.wait_for_function("before => document.querySelector('#chart-now').value !== before", arg=before)


@dataclass
class Busy:
    """The main thread of a page, as Chromium itself accounts for it."""

    devtools: CDPSession

    @classmethod
    async def of(cls, page: Page) -> "Busy":
        devtools = await page.context.new_cdp_session(page)
        await devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
        return cls(devtools)

    async def during(self, work: Awaitable[None]) -> float:
        """Milliseconds of its CPU that `work` took."""
        before = await self._spent_ms()
        await work
        await asyncio.sleep(0.3)  # what is drawn comes with the next frame
        return await self._spent_ms() - before

    async def _spent_ms(self) -> float:
        metrics = (await self.devtools.send("Performance.getMetrics"))["metrics"]
        return 1e3 * float(next(metric["value"] for metric in metrics if metric["name"] == "TaskDuration"))


if __name__ == "__main__":
    chart_rows()
