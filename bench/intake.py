"""The rate at which a commander stores reports, durably before its OK, beside the generator on the same machine."""

import asyncio
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import httpx
import psutil
import uvloop
from free_ports import free_port

from bench.blast import Report, blast, prebuilt_report
from bench.table import row
from tests.farm import CommanderProcess, eventually, running_commander

RIGS, CONNECTIONS, WARM_UP_S, COUNT_S = 200, 256, 2.0, 6.0


class Cost(NamedTuple):
    per_s: float
    cpu_us: float
    refused: int


def measured(reports: list[Report], pid: int, port: int, tls: ssl.SSLContext | None) -> Cost:
    """Reports a second, and the CPU time that the server's process spends on each."""
    server = psutil.Process(pid)

    async def run() -> Cost:
        running = await blast(reports, port, tls, connections=CONNECTIONS, warm_up_s=WARM_UP_S)
        before = sum(server.cpu_times()[:2])
        rate = await running.count(COUNT_S)
        cpu_s = sum(server.cpu_times()[:2]) - before
        await running.end()
        count = max(1, rate.acknowledged)
        return Cost(rate.acknowledged / rate.wall_s, 1e6 * cpu_s / count, rate.refused)

    return uvloop.run(run())


def tokens(commander: CommanderProcess) -> list[str]:
    with httpx.Client(base_url=commander.url, verify=commander.trust, timeout=20) as people:
        people.headers["Authorization"] = f"Bearer {commander.api_key()}"
        names = [f"simulated-{number:03d}" for number in range(1, RIGS + 1)]
        answers = [people.post("/api/v1/cpu-gpu-rigs", json={"name": name}) for name in names]
        return [answer.raise_for_status().json()["token"] for answer in answers]


def intake_rows() -> None:
    for tls in (False, True):
        with tempfile.TemporaryDirectory() as folder:
            more = {} if tls else {"COMMANDER_TLS": "off"}
            with running_commander(Path(folder), **more) as commander:
                kinds = enumerate(tokens(commander), start=1)
                reports = [prebuilt_report(token, f"127.0.0.1:{commander.port}", number) for number, token in kinds]
                _one_way(commander, reports, tls)


def _one_way(commander: CommanderProcess, reports: list[Report], tls: bool) -> None:
    assert commander.process is not None  # noqa: S101 - it runs
    way = "HTTPS" if tls else "HTTP"
    context = ssl.create_default_context(cafile=commander.ca) if tls else None
    cost = measured(reports, commander.process.pid, commander.port, context)
    with floor_server(commander if tls else None) as (pid, port):
        floor = measured(reports, pid, port, context)
    size = len(reports[0].tail)
    row(f"intake, embedded, durable, {way}", f"{cost.per_s:,.0f} reports/s", f"{cost.cpu_us:.0f} µs CPU each")
    row(
        f"  floor: uvicorn that keeps nothing, {way}",
        f"{floor.per_s:,.0f} reports/s",
        f"{floor.cpu_us:.0f} µs CPU each",
    )
    row("  ratio to the floor", f"{cost.per_s / floor.per_s:.2f}", f"{size:,} bytes a report, {cost.refused} refused")


@contextmanager
def floor_server(certificate_of: CommanderProcess | None) -> Iterator[tuple[int, int]]:
    """A bare server, with the commander's own certificate where one is given; yields its pid and port."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "bench.floor_app:app", "--port", str(port), "--log-level", "warning"]
    command += ["--no-access-log", "--no-server-header"]
    if certificate_of is not None:
        folder = certificate_of.data_dir / "tls"
        command += ["--ssl-certfile", str(folder / "server.pem"), "--ssl-keyfile", str(folder / "server.key")]
    with subprocess.Popen(command) as server:
        try:
            eventually(lambda: _listens(port), within_s=15, what="the floor's start")
            yield server.pid, port
        finally:
            server.terminate()


def _listens(port: int) -> bool:
    async def connect() -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()

    try:
        asyncio.run(connect())
    except OSError:
        return False
    return True
