"""The rate of several web nodes and workers, with a real NATS and PostgreSQL and the generator on the same machine."""

import asyncio
import os
import random
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import httpx
import psutil
import uvloop
from scaled_farm import PASSWORD, ScaledFarm, WebNode, scaled_farm

from bench.blast import Report, blast, prebuilt_report
from bench.farm import LivePage, alive, quantiles, seen
from bench.table import no_peer, row
from tests.farm import ROOT, eventually

RIGS, CONNECTIONS, WARM_UP_S, COUNT_S = 200, 128, 3.0, 8.0
SHAPES = ((1, 1), (1, 2), (2, 1), (2, 2))
WATCHED_RIGS, WATCHED_EVERY_S, PROBES = 500, 5, 50


class Snapshot(NamedTuple):
    """CPU seconds by kind of process, and logs stored."""

    web_s: float
    workers_s: float
    nats_s: float
    postgresql_s: float
    stored: float


def scaled_rows() -> None:
    for web, workers in SHAPES:
        with (
            tempfile.TemporaryDirectory() as folder,
            scaled_farm(Path(folder), web=web, workers=workers, hasty=False, COMMANDER_TLS="off") as farm,
        ):
            uvloop.run(_rate_rows(farm, f"{web} web, {workers} worker{'s' if workers > 1 else ''}"))
    with tempfile.TemporaryDirectory() as folder, scaled_farm(Path(folder)) as farm:
        _latency_rows(farm)


async def _rate_rows(farm: ScaledFarm, shape: str) -> None:
    reports = reports_of(farm)
    async with AsyncExitStack() as ends:
        running = []
        for at, node in enumerate(farm.web):
            part = reports[at :: len(farm.web)]
            blasting = await blast(part, node.port, None, connections=CONNECTIONS // len(farm.web), warm_up_s=0)
            ends.push_async_callback(blasting.end)
            running.append(blasting)
        await asyncio.sleep(WARM_UP_S)
        before, start = snapshot(farm), time.perf_counter()
        rates = await asyncio.gather(*(each.count(COUNT_S) for each in running))
        after, wall_s = snapshot(farm), time.perf_counter() - start
    acknowledged, refused = sum(each.acknowledged for each in rates), sum(each.refused for each in rates)
    used = Snapshot(*(late - early for late, early in zip(after, before, strict=True)))
    row(f"intake by queue, {shape}: acknowledged", f"{acknowledged / wall_s:,.0f} reports/s", f"{refused} refused")
    row("  stored meanwhile", f"{used.stored / wall_s:,.0f} reports/s", _costs(used, acknowledged))
    with_queue = time.perf_counter()
    eventually(lambda: queue_is_empty(farm), within_s=300, what="the queue's emptying")
    row("  the rest of the queue stored after", f"{time.perf_counter() - with_queue:.1f} s")


def _costs(used: Snapshot, acknowledged: int) -> str:
    taken, stored = max(1, acknowledged), max(1.0, used.stored)
    return (
        f"µs CPU each: web {1e6 * used.web_s / taken:.0f}, NATS {1e6 * used.nats_s / taken:.0f}, "
        f"worker {1e6 * used.workers_s / stored:.0f}, PostgreSQL {1e6 * used.postgresql_s / stored:.0f}"
    )


def reports_of(farm: ScaledFarm) -> list[Report]:
    with farm.web[0].client(farm.api_key()) as people:
        names = [f"simulated-{number:03d}" for number in range(1, RIGS + 1)]
        answers = [people.post("/api/v1/cpu-gpu-rigs", json={"name": name}) for name in names]
    tokens = [answer.raise_for_status().json()["token"] for answer in answers]
    return [prebuilt_report(token, "127.0.0.1", number) for number, token in enumerate(tokens, start=1)]


def snapshot(farm: ScaledFarm) -> Snapshot:
    stored = sum(worker.figures()['minewarden_ingested_logs_total{outcome="stored"}'] for worker in farm.workers)
    web_s = sum(cpu_s(node.process) for node in farm.web)
    workers_s = sum(cpu_s(worker.process) for worker in farm.workers)
    return Snapshot(web_s, workers_s, cpu_s(farm.nats.process), cpu_s(farm.postgresql.process), stored)


def cpu_s(process: "subprocess.Popen[bytes] | None") -> float:
    """With its children: a connection to PostgreSQL is a process."""
    if process is None:
        return 0.0
    top = psutil.Process(process.pid)
    return sum(sum(each.cpu_times()[:2]) for each in (top, *top.children(recursive=True)))


def queue_is_empty(farm: ScaledFarm) -> bool:
    return farm.workers[0].figures().get("minewarden_queue_logs") == 0


def _latency_rows(farm: ScaledFarm) -> None:
    key = farm.api_key()
    with farm.web[0].client(key) as people:
        probe = people.post("/api/v1/cpu-gpu-rigs", json={"name": "0 probe"}).raise_for_status().json()
        with simulated(farm, key):
            eventually(lambda: alive(people) == WATCHED_RIGS, within_s=60, what="the farm's first round")
            waited_ms = asyncio.run(_latencies(farm, probe["id"], probe["token"]))
    remark = f"{WATCHED_RIGS} rigs at {WATCHED_EVERY_S} s, 2 web, 2 workers"
    row("report to one node → figure on a page of the other", quantiles(waited_ms), remark)
    rss = [
        psutil.Process(part.process.pid).memory_info().rss / 2**20
        for part in (*farm.web, *farm.workers)
        if part.process
    ]
    row("memory of each web node and worker (RSS)", ", ".join(f"{mb:.0f}" for mb in rss) + " MiB", remark)
    no_peer("the part “intake” has the floor of a web node")


async def _latencies(farm: ScaledFarm, rig_id: int, token: str) -> list[float]:
    tls = ssl.create_default_context(cafile=farm.ca)
    here, there = farm.web[0], farm.web[1]
    waited_ms = []
    async with client_of(here, tls) as sentry, client_of(there, tls) as browser:
        await browser.post("/login", data={"password": PASSWORD})
        async with LivePage(browser, there.port, tls) as page:
            for probe in range(PROBES):
                await asyncio.sleep(random.uniform(0.05, 0.4))
                start = time.perf_counter()
                async with asyncio.TaskGroup() as group:
                    group.create_task(_report(sentry, token, 1_000 + probe))
                    await seen(page, f"rig-{rig_id}", str(1_000 + probe))
                waited_ms.append(1e3 * (time.perf_counter() - start))
    return waited_ms


def client_of(node: WebNode, tls: ssl.SSLContext) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=node.url, verify=tls, timeout=20)


async def _report(sentry: httpx.AsyncClient, token: str, power_w: int) -> None:
    gpu = {"pci_address": "0000:01:00.0", "power_w": power_w, "temperature_c": 60}
    log = {"taken_at": datetime.now(UTC).isoformat(), "gpus": [gpu]}
    headers = {"Authorization": f"Bearer {token}"}
    (await sentry.post("/api/v1/sentry/logs", json={"logs": [log]}, headers=headers)).raise_for_status()


@contextmanager
def simulated(farm: ScaledFarm, key: str) -> Iterator[None]:
    command: Sequence[str] = [
        *(sys.executable, str(ROOT / "devtools" / "simulate_farm.py"), "--ca", str(farm.ca), "--steady"),
        *(word for node in farm.web for word in ("--commander", node.url)),
        *("--rigs", str(WATCHED_RIGS), "--every", str(WATCHED_EVERY_S)),
    ]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, env=os.environ | {"API_KEY": key}, stdout=quiet, stderr=quiet) as sentries:
        try:
            yield
        finally:
            sentries.kill()
