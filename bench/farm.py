"""A farm of 1,000 rigs at 10 s: what its commander and its viewers cost, and how soon a figure is on the page."""

import asyncio
import random
import re
import ssl
import statistics
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

import httpx
import psutil
from websockets.asyncio.client import ClientConnection, connect

from bench.intake import floor_server
from bench.table import no_peer, row
from tests.farm import PASSWORD, CommanderProcess, eventually, running_commander, simulated_farm

RIGS, EVERY_S = 1_000, 10
PROBES, VIEWERS, PAGES, CPU_WINDOW_S = 50, 100, 40, 8.0


def farm_rows() -> None:
    with tempfile.TemporaryDirectory() as folder, running_commander(Path(folder)) as commander:
        key = commander.api_key()
        with commander.client(key) as people:
            probe = people.post("/api/v1/cpu-gpu-rigs", json={"name": "0 probe"}).raise_for_status().json()
            with simulated_farm(commander, key, "--rigs", str(RIGS), "--every", str(EVERY_S)):
                eventually(lambda: alive(people) == RIGS, within_s=60, what="the farm's first round")
                asyncio.run(FarmBench(commander, probe["id"], probe["token"]).rows())


def alive(people: httpx.Client) -> int:
    return int(people.get("/api/v1/cpu-gpu-stats").raise_for_status().json()["rigs_alive"])


class FarmBench:
    """The commander of a running farm, and one more rig that is watched."""

    def __init__(self, commander: CommanderProcess, rig_id: int, token: str) -> None:
        assert commander.process is not None  # noqa: S101 - it runs
        self._commander = commander
        self._rig_id, self._token = rig_id, token
        self._server = psutil.Process(commander.process.pid)
        self._tls = ssl.create_default_context(cafile=commander.ca)
        self._looking = self._frames = 0

    async def rows(self) -> None:
        async with httpx.AsyncClient(base_url=self._commander.url, verify=self._tls, timeout=20) as browser:
            await browser.post("/login", data={"password": PASSWORD})
            await self._first_bytes(browser)
            await self._costs(browser)
            await self._latency(browser)
        rss_mb = self._server.memory_info().rss / 2**20
        row(f"commander's memory with {RIGS:,} rigs (RSS)", f"{rss_mb:.0f} MiB")

    async def _first_bytes(self, browser: httpx.AsyncClient) -> None:
        for path, what in (("/cpu-gpu", "a page of 100"), ("/cpu-gpu?per=all", "all on one page")):
            page = await first_bytes(browser, path)
            row(f"index with {RIGS:,} rigs, first byte, {what}", quantiles(page.waited_ms), f"{page.size:,} bytes")
            await asyncio.to_thread(self._floor_row, page)

    def _floor_row(self, page: "FirstBytes") -> None:
        """A fixed answer of the page's size, over the same TLS."""
        with floor_server(self._commander) as (_, port):
            floor = asyncio.run(self._floor(f"https://127.0.0.1:{port}", page.size))
        middle_ms, floor_ms = statistics.median(page.waited_ms), statistics.median(floor.waited_ms)
        remark = f"p50 {floor_ms:.1f} ms; the page takes {middle_ms / floor_ms:.1f} times as long"
        row("  floor: uvicorn, a fixed answer of this size", quantiles(floor.waited_ms), remark)

    async def _floor(self, url: str, size: int) -> "FirstBytes":
        async with httpx.AsyncClient(base_url=url, verify=self._tls, timeout=20) as client:
            return await first_bytes(client, f"/?bytes={size}")

    async def _costs(self, browser: httpx.AsyncClient) -> None:
        alone = await self._cpu_percent()
        row(f"commander, {RIGS:,} rigs at {EVERY_S} s, nobody looks", f"{alone:.1f} % of a core")
        async with asyncio.TaskGroup() as group:
            looking = [group.create_task(self._look(browser))]
            await self._all_look(1)
            with_one = await self._cpu_percent()
            before_s = self._cpu_s()
            looking += [group.create_task(self._look(browser)) for _ in range(VIEWERS - 1)]
            await self._all_look(VIEWERS)
            opened_ms = 1e3 * (self._cpu_s() - before_s) / (VIEWERS - 1)
            frames = self._frames
            with_many = await self._cpu_percent()
            frames_per_s = (self._frames - frames) / VIEWERS / CPU_WINDOW_S
            for task in looking:
                task.cancel()
        first_ms, each_ms = 10 * (with_one - alone), 10 * (with_many - with_one) / (VIEWERS - 1)
        row("  the first viewer of the index", f"{first_ms:.1f} ms CPU/s", "renders what all of them see")
        row("  each further viewer of the same", f"{each_ms:.2f} ms CPU/s", f"{frames_per_s:.1f} frames/s; goal 0.2")
        row("  to open the page", f"{opened_ms:.1f} ms CPU", "TLS, the page and its socket")
        no_peer("no other program renders the same live page")

    async def _all_look(self, count: int) -> None:
        """Waits until the pages are open: opening one costs as much as looking at it for a minute."""
        while self._looking < count:  # noqa: ASYNC110 - connections of this program
            await asyncio.sleep(0.05)

    async def _latency(self, browser: httpx.AsyncClient) -> None:
        """From the first byte of a report that is sent to the frame that holds its figure."""
        waited_ms = []
        async with self._socket(browser) as socket:
            for probe in range(PROBES):
                await asyncio.sleep(random.uniform(0.05, 0.4))
                power_w = 1_000 + probe
                start = time.perf_counter()
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._report(browser, power_w))
                    await seen(socket, f"rig-{self._rig_id}", str(power_w))
                waited_ms.append(1e3 * (time.perf_counter() - start))
        row(f"report → figure at the browser, {RIGS:,} rigs at {EVERY_S} s", quantiles(waited_ms), f"{PROBES} reports")

    async def _report(self, browser: httpx.AsyncClient, power_w: int) -> None:
        gpu = {"pci_address": "0000:01:00.0", "power_w": power_w, "temperature_c": 60}
        log = {"taken_at": datetime.now(UTC).isoformat(), "gpus": [gpu]}
        headers = {"Authorization": f"Bearer {self._token}"}
        (await browser.post("/api/v1/sentry/logs", json={"logs": [log]}, headers=headers)).raise_for_status()

    async def _look(self, browser: httpx.AsyncClient) -> None:
        async with self._socket(browser) as socket:
            self._looking += 1
            async for _ in socket:
                self._frames += 1

    def _socket(self, browser: httpx.AsyncClient) -> "LivePage":
        return LivePage(browser, self._commander.port, self._tls)

    async def _cpu_percent(self) -> float:
        before_s, start = self._cpu_s(), time.perf_counter()
        await asyncio.sleep(CPU_WINDOW_S)
        return 100 * (self._cpu_s() - before_s) / (time.perf_counter() - start)

    def _cpu_s(self) -> float:
        return float(sum(self._server.cpu_times()[:2]))


class FirstBytes(NamedTuple):
    waited_ms: list[float]
    size: int


async def first_bytes(client: httpx.AsyncClient, path: str) -> FirstBytes:
    """Asks for a page many times."""
    waited_ms, size = [], 0
    for _ in range(PAGES):
        start = time.perf_counter()
        async with client.stream("GET", path) as answer:
            waited_ms.append(1e3 * (time.perf_counter() - start))
            size = len(await answer.aread())
    return FirstBytes(waited_ms, size)


class LivePage:
    """A page as a browser opens it: the page, then its socket, which knows what the page has seen."""

    def __init__(self, browser: httpx.AsyncClient, port: int, tls: ssl.SSLContext, path: str = "/cpu-gpu") -> None:
        self._browser, self._port, self._tls, self._path = browser, port, tls, path
        self._socket: ClientConnection | None = None

    async def __aenter__(self) -> ClientConnection:
        page = (await self._browser.get(self._path)).raise_for_status().text
        live = unescape(found(r'data-live="([^"]*)"', page))
        stamp = urlencode({"seq": found(r'data-seq="([^"]*)"', page)})
        address = f"wss://127.0.0.1:{self._port}{live}{'&' if '?' in live else '?'}{stamp}"
        cookie = "; ".join(f"{name}={value}" for name, value in self._browser.cookies.items())
        origin = f"https://127.0.0.1:{self._port}"
        self._socket = await connect(
            address,
            ssl=self._tls,
            additional_headers={"Cookie": cookie, "Origin": origin},
            max_size=None,
            compression=None,
        )
        return self._socket

    async def __aexit__(self, *_: object) -> None:
        if self._socket is not None:
            await self._socket.close()


async def seen(socket: ClientConnection, *texts: str) -> None:
    async with asyncio.timeout(20):
        async for frame in socket:
            text = frame if isinstance(frame, str) else frame.decode()
            if all(each in text.replace("\u202f", "").replace(",", "") for each in texts):
                return


def found(pattern: str, page: str) -> str:
    match = re.search(pattern, page)
    if match is None:
        raise RuntimeError(f"the page has no {pattern}")
    return match[1]


def quantiles(values_ms: Sequence[float]) -> str:
    cuts = statistics.quantiles(values_ms, n=20)
    return f"p50 {cuts[9]:.0f}, p95 {cuts[18]:.0f} ms"
