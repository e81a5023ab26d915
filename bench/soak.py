"""An hour of 1,000 CPU/GPU rigs, 1,000 ASICs and 20 viewers: does the commander stay as it was? `make soak`.

It prints a Markdown table with a line for each twelfth of the time. It fails if memory or descriptors grow after the
first quarter, if the commander logs an error, or if an acknowledged log is not stored exactly once.
"""

import argparse
import asyncio
import json
import signal
import sqlite3
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import httpx
import psutil
from websockets import ConnectionClosed

from bench.farm import LivePage, alive
from tests.farm import PASSWORD, CommanderProcess, eventually, running_commander, simulated_farm

RIGS, ASICS, EVERY_S, VIEWERS = 1_000, 1_000, 10, 20
PAGES = ("/", "/cpu-gpu", "/asics", "/cpu-gpu?per=all", "/asics?per=all", "/cpu-gpu/{rig}", "/incidents")
SAMPLE_EVERY_S, LOOK_FOR_S, LINES = 5.0, 300.0, 12
GROWTH_PERCENT, GROWTH_DESCRIPTORS = 5.0, 20
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TABLES = {"rig_id": "cpu_gpu_logs", "asic_id": "asic_logs"}

Log = tuple[str, int, datetime]


class Sample(NamedTuple):
    """Memory and descriptors of the commander's process at a moment. `cpu_s` is the sum since its start."""

    at_s: float
    rss_mib: float
    descriptors: int
    threads: int
    cpu_s: float


class Viewers:
    """People who look at live pages, and open another page every few minutes."""

    def __init__(self, commander: CommanderProcess, rig_id: int) -> None:
        self._commander = commander
        self._paths = [path.format(rig=rig_id) for path in PAGES]
        self._tls = ssl.create_default_context(cafile=commander.ca)
        self.opened = self.frames = self.hung_up = 0

    async def look(self) -> None:
        """Runs until it is cancelled."""
        async with httpx.AsyncClient(base_url=self._commander.url, verify=self._tls, timeout=60) as browser:
            await browser.post("/login", data={"password": PASSWORD})
            async with asyncio.TaskGroup() as group:
                for number in range(VIEWERS):
                    group.create_task(self._view(browser, number))

    async def _view(self, browser: httpx.AsyncClient, number: int) -> None:
        while True:
            path = self._paths[(number + self.opened) % len(self._paths)]
            self.opened += 1
            async with LivePage(browser, self._commander.port, self._tls, path) as socket:
                try:
                    async with asyncio.timeout(LOOK_FOR_S * (0.5 + number / VIEWERS)):
                        async for _ in socket:
                            self.frames += 1
                except TimeoutError:
                    continue
                except ConnectionClosed:
                    pass
                self.hung_up += 1


async def watch(commander: CommanderProcess, viewers: Viewers, for_s: float) -> list[Sample]:
    """Samples the commander while people look at its pages. Prints each line of the table as soon as it is known."""
    assert commander.process is not None  # noqa: S101 - it runs
    process, start, samples = psutil.Process(commander.process.pid), time.monotonic(), list[Sample]()
    looking = asyncio.create_task(viewers.look())
    line_s, from_line = for_s / LINES, 0
    while (at_s := time.monotonic() - start) < for_s:
        samples.append(sample(process, at_s))
        if at_s - samples[from_line].at_s >= line_s - SAMPLE_EVERY_S / 2:
            print(line_of(samples[from_line:]), flush=True)
            from_line = len(samples) - 1
        done, _ = await asyncio.wait({looking}, timeout=SAMPLE_EVERY_S)
        if done:
            looking.result()
    looking.cancel()
    print(line_of(samples[from_line:]), flush=True)
    return samples


def sample(process: psutil.Process, at_s: float) -> Sample:
    with process.oneshot():
        rss_mib, cpu = process.memory_info().rss / 2**20, process.cpu_times()
        return Sample(at_s, rss_mib, process.num_fds(), process.num_threads(), cpu.user + cpu.system)


def line_of(samples: Sequence[Sample]) -> str:
    first, last = samples[0], samples[-1]
    cpu_percent = 100 * (last.cpu_s - first.cpu_s) / max(1.0, last.at_s - first.at_s)
    rss = [each.rss_mib for each in samples]
    descriptors, threads = (max(column) for column in zip(*((each[2], each[3]) for each in samples), strict=True))
    return (
        f"| {first.at_s / 60:.0f} to {last.at_s / 60:.0f} | {statistics.median(rss):.0f} | {max(rss):.0f} "
        f"| {descriptors} | {threads} | {cpu_percent:.0f} % |"
    )


def growth(samples: Sequence[Sample]) -> list[str]:
    """Returns what grew from the second quarter of the time to the last one, as sentences."""
    quarter_s = samples[-1].at_s / 4
    early = [each for each in samples if quarter_s <= each.at_s < 2 * quarter_s]
    late = [each for each in samples if each.at_s >= 3 * quarter_s]
    rss = [statistics.median(each.rss_mib for each in part) for part in (early, late)]
    descriptors = [statistics.median(each.descriptors for each in part) for part in (early, late)]
    percent = 100 * (rss[1] / rss[0] - 1)
    print(f"\nSecond quarter to last: memory {rss[0]:.0f} to {rss[1]:.0f} MiB ({percent:+.1f} %), ", end="")
    print(f"descriptors {descriptors[0]:.0f} to {descriptors[1]:.0f}.")
    found = []
    if percent > GROWTH_PERCENT:
        found.append(f"The memory grew by {percent:.1f} %.")
    if descriptors[1] - descriptors[0] > GROWTH_DESCRIPTORS:
        found.append(f"The open descriptors grew by {descriptors[1] - descriptors[0]:.0f}.")
    return found


def differences(commander: CommanderProcess, ledger: Path) -> list[str]:
    """Returns in which way the stored logs differ from the acknowledged ones, as sentences."""
    stored, acknowledged = Counter[Log](), Counter[Log]()
    with ledger.open(encoding="utf-8") as lines:
        for line in map(json.loads, lines):
            key = next(key for key in TABLES if key in line)
            acknowledged[key, line[key], datetime.fromisoformat(line["taken_at"])] += 1
    with closing(sqlite3.connect(commander.data_dir / "commander.db")) as database:
        for key, table in TABLES.items():
            for rig_id, taken_at_us in database.execute(f"SELECT rig_id, taken_at_us FROM {table}"):  # noqa: S608
                stored[key, rig_id, EPOCH + timedelta(microseconds=taken_at_us)] += 1
    print(f"{acknowledged.total():,} logs acknowledged, {stored.total():,} stored.")
    lost, more = acknowledged - stored, stored - acknowledged
    found = []
    if lost:
        found.append(f"{lost.total():,} acknowledged logs are not stored.")
    if more:
        found.append(f"{more.total():,} stored logs were not acknowledged, or are stored twice.")
    return found


def errors(commander: CommanderProcess) -> list[str]:
    lines = commander.log.read_text(encoding="utf-8").splitlines()
    for line in [line for line in lines if " WARNING " in line][:20]:
        print(f"Logged: {line}")
    return [f"Logged: {line}" for line in lines if " ERROR " in line or line.startswith("Traceback")]


def soak(minutes: float) -> list[str]:
    """Returns what is wrong, as sentences."""
    with tempfile.TemporaryDirectory() as name, running_commander(Path(name)) as commander:
        ledger, key = Path(name) / "ledger.jsonl", commander.api_key()
        options = ("--rigs", str(RIGS), "--asics", str(ASICS), "--every", str(EVERY_S), "--drain", "60")
        with simulated_farm(commander, key, *options, "--ledger", str(ledger)) as farm, commander.client(key) as people:
            eventually(lambda: alive(people) == RIGS, within_s=300, what="the farm's first round")
            rig_id = people.get("/api/v1/cpu-gpu-rigs").raise_for_status().json()[0]["id"]
            viewers = Viewers(commander, rig_id)
            print(f"{RIGS:,} CPU/GPU rigs and {ASICS:,} ASICs, a log every {EVERY_S} s each, {VIEWERS} viewers.\n")
            print("| Minutes | Memory, MiB (median) | Memory, MiB (most) | Descriptors | Threads | CPU of a core |")
            print("|---|---|---|---|---|---|", flush=True)
            samples = asyncio.run(watch(commander, viewers, 60 * minutes))
            wrong = growth(samples)
            print(f"{viewers.opened} pages opened, {viewers.frames:,} frames, {viewers.hung_up} sockets ended early.")
            wrong += ended_badly(farm)
        return wrong + differences(commander, ledger) + errors(commander)


def ended_badly(farm: "subprocess.Popen[str]") -> list[str]:
    farm.send_signal(signal.SIGTERM)
    _, complaints = farm.communicate(timeout=120)
    return [f"The simulated farm ended with {farm.returncode}: {complaints[-500:]}"] if farm.returncode else []


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    wrong = soak(parser.parse_args().minutes)
    print(*wrong or ["Nothing grew, no error was logged, and each acknowledged log is stored once."], sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
