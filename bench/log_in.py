"""A thousand guesses of the password a second, from a thousand addresses: who still gets through, and how soon."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psutil

from bench.farm import quantiles
from bench.table import no_peer, row
from tests.farm import PASSWORD, ROOT, CommanderProcess, running_commander

RATE, ADDRESSES, DURATION_S = 1_000, 1_000, 40
LOG_INS, REPORTS = 10, 100


def log_in_rows() -> None:
    with tempfile.TemporaryDirectory() as folder, running_commander(Path(folder)) as commander:
        with commander.client(commander.api_key()) as people:
            made = people.post("/api/v1/cpu-gpu-rigs", json={"name": "probe"}).raise_for_status().json()
        with commander.client() as known, commander.client() as unknown, commander.client(made["token"]) as sentry:
            known.post("/login", data={"password": PASSWORD})
            quiet_ms = _reports(sentry)
            row("a report while nobody guesses", quantiles(quiet_ms))
            assert commander.process is not None  # noqa: S101 - it runs
            server = psutil.Process(commander.process.pid)
            with flooded(commander) as flood:
                before_s, start = sum(server.cpu_times()[:2]), time.perf_counter()
                row(f"  {RATE:,} guesses/s: a report", quantiles(_reports(sentry)), "goal: under 100 ms")
                row("  the owner's known browser logs in", quantiles(_log_ins(known)), "goal: within 2 s")
                answer = unknown.post("/login", data={"password": PASSWORD})
                row(
                    "  a browser that is not known",
                    str(answer.status_code),
                    f"after {answer.headers.get('retry-after')} s",
                )
                used = (sum(server.cpu_times()[:2]) - before_s) / (time.perf_counter() - start)
                row("  the commander's processor", f"{100 * used:.0f} % of a core")
                counts, _ = flood.communicate(timeout=DURATION_S + 60)
            row("  answers to the guesses", "", counts.split("\n")[0])
            no_peer("no other program is asked for passwords like this")


@contextmanager
def flooded(commander: CommanderProcess) -> Iterator["subprocess.Popen[str]"]:
    """`devtools/flood_log_in.py`; the block begins when all of its connections are open."""
    command = [
        *(sys.executable, str(ROOT / "devtools" / "flood_log_in.py")),
        *("--commander", commander.url, "--ca", str(commander.ca)),
        *("--rate", str(RATE), "--addresses", str(ADDRESSES), "--duration", str(DURATION_S)),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as flood:
        assert flood.stdout is not None  # noqa: S101 - it is a pipe
        flood.stdout.readline()
        time.sleep(3)  # the limit of all strangers is reached
        try:
            yield flood
        finally:
            if flood.poll() is None:
                flood.kill()


def _reports(sentry: httpx.Client) -> list[float]:
    waited_ms = []
    for _ in range(REPORTS):
        log = {"taken_at": datetime.now(UTC).isoformat(), "uptime_s": 5}
        start = time.perf_counter()
        sentry.post("/api/v1/sentry/logs", json={"logs": [log]}).raise_for_status()
        waited_ms.append(1e3 * (time.perf_counter() - start))
        time.sleep(0.05)
    return waited_ms


def _log_ins(known: httpx.Client) -> list[float]:
    waited_ms = []
    for _ in range(LOG_INS):
        known.cookies.delete("minewarden_session")
        start = time.perf_counter()
        answer = known.post("/login", data={"password": PASSWORD})
        assert answer.status_code == 303, answer.text  # noqa: S101 - else there is nothing to measure
        waited_ms.append(1e3 * (time.perf_counter() - start))
    return waited_ms
