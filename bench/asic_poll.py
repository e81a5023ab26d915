"""What a poll of an ASIC costs the sentry: transport on loopback, parsing and the finished log, on one core."""

import asyncio
import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvloop
from asic_sentry.identify import identify
from asic_sentry.poll import Identity, Sample, poll
from fake_asics import make_asics

from bench.table import row

FAKES = Path(__file__).parent.parent / "devtools" / "fake_asics.py"
NETWORK, PORT_BASE, COUNT, AT_ONCE, FOR_S = "127.20.0.0/16", 20_000, 1000, 50, 3.0
GOALS = {"antminer": 3_000, "iceriver": 8_000}


def asic_poll_rows() -> None:
    for kind, goal in GOALS.items():
        with fakes(kind):
            cost = json.loads(subprocess.check_output([sys.executable, "-m", "bench.asic_poll", kind], timeout=60))
        per_core = cost["polls"] / cost["cpu_s"]
        remark = f"{1e6 * cost['cpu_s'] / cost['polls']:.0f} µs of CPU, {cost['peak_mb']:.0f} MB; goal {goal:,}"
        row(f"ASIC sentry: {kind} polls/s per core, {COUNT:,} ASICs", f"{per_core:,.0f}", remark)


@contextmanager
def fakes(kind: str) -> Iterator[None]:
    command = [sys.executable, str(FAKES), "--count", str(COUNT), "--network", NETWORK]
    command += ["--kinds", kind, "--port-base", str(PORT_BASE)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None  # noqa: S101
        process.stdout.readline()
        try:
            yield
        finally:
            process.terminate()
            process.communicate(timeout=20)


async def measure(kind: str) -> dict[str, float]:
    """Polls all of them in turn, `AT_ONCE` at a time; they are of one model, so one stands for all at first."""
    asics = make_asics(COUNT, NETWORK, [kind], port_base=PORT_BASE)
    first = await identify(asics[0].ip, asics[0].port)
    assert isinstance(first, Identity), first  # noqa: S101
    identities = [Identity(ip=each.ip, port=each.port, dialect=first.dialect, specs=first.specs) for each in asics]
    polls, started, cpu_s = 0, time.perf_counter(), time.process_time()

    async def work(part: list[Identity]) -> None:
        nonlocal polls
        while time.perf_counter() - started < FOR_S:
            for identity in part:
                sample = await poll(identity)
                assert isinstance(sample, Sample), sample  # noqa: S101
                polls += 1

    async with asyncio.TaskGroup() as group:
        for worker in range(AT_ONCE):
            group.create_task(work(identities[worker::AT_ONCE]))
    peak_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"polls": polls, "cpu_s": time.process_time() - cpu_s, "peak_mb": peak_kib / 1024}


if __name__ == "__main__":
    print(json.dumps(uvloop.run(measure(sys.argv[1]))))
