"""The cost of a poll of an ASIC, beside pyasic and pyasic-rs where those are installed.

It contains the transport on loopback, the parsing and the finished log, on one core."""

import asyncio
import importlib
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import uvloop
from asic_sentry.identify import identify
from asic_sentry.limits import raise_open_files
from asic_sentry.poll import Identity, Sample, poll
from fake_asics import FakeAsic, make_asics

from bench.peers import library_folder
from bench.table import row

FAKES = Path(__file__).parent.parent / "devtools" / "fake_asics.py"
WEB = FAKES.with_name("antminer_web.py")
NETWORK, PORT_BASE, AT_ONCE, FOR_S = "127.20.0.0/16", 20_000, 50, 3.0
GOALS = {"antminer": 5_000, "iceriver": 9_000}
WEB_GOALS = {"epic": 2_000, "proto": 2_000, "vnish": 2_000}  # several HTTP requests each
PEERS = ("pyasic", "pyasic_rs")
SWEEP_LATENCY_MS, SWEEP_AT_ONCE = 100, 500

Cost = dict[str, float]


def asic_poll_rows() -> None:
    for kind, goal in (GOALS | WEB_GOALS).items():
        for count in (1_000, 5_000) if kind in GOALS else (1_000,):
            with fakes(kind, count):
                cost = measured("own", kind, count)
            remark = f"{1e6 * cost['cpu_s'] / cost['polls']:.0f} µs of CPU, {cost['peak_mb']:.0f} MB; goal {goal:,}"
            row(f"ASIC sentry: {kind} polls/s per core, {count:,} ASICs", f"{per_core(cost):,.0f}", remark)
    for library in PEERS:
        peer_row(library)
    with fakes("antminer", 1_000, "--latency-ms", str(SWEEP_LATENCY_MS)):
        cost = measured("sweep", "antminer", 1_000)
    what = f"ASIC sentry: 1,000 Antminers, {SWEEP_LATENCY_MS} ms a command"
    row(what, f"{cost['took_s']:.2f} s", f"{SWEEP_AT_ONCE} at once, 2 commands each; goal 1 s")
    floor_s = 1_000 / SWEEP_AT_ONCE * 2 * SWEEP_LATENCY_MS / 1e3
    row("  floor: the ASICs' own time to answer", f"{floor_s:.2f} s", f"ratio {cost['took_s'] / floor_s:.1f}")


def peer_row(library: str) -> None:
    """At the real ports, the only ones that a peer knows, with the web interface that it asks too; beside ours."""
    what = f"{library}: antminer polls/s per core, 100 ASICs"
    if library_folder(library) is None and importlib.util.find_spec(library) is None:
        row(what, "not installed", "make bench PEERS=1 fetches it")
        return
    with fakes("antminer", 100, port_base=0), web_interfaces(100):
        own, peer = measured("own_usual_ports", "antminer", 100), measured(library, "antminer", 100)
    times = per_core(own) / per_core(peer)
    row(
        what,
        f"{per_core(peer):,.0f}",
        f"{peer['peak_mb']:.0f} MB; ours {per_core(own):,.0f}, {times:.0f} times as many",
    )


def per_core(cost: Cost) -> float:
    return cost["polls"] / cost["cpu_s"]


def measured(what: str, kind: str, count: int) -> Cost:
    """In a process of its own, so that its memory and its CPU time are its alone."""
    command = [sys.executable, "-m", "bench.asic_poll", what, kind, str(count)]
    path = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(library_folder(what) or "")]))
    done = subprocess.check_output(command, env=os.environ | {"PYTHONPATH": path}, timeout=120)
    cost: Cost = json.loads(done.splitlines()[-1])
    return cost


@contextmanager
def fakes(kind: str, count: int, *options: str, port_base: int = PORT_BASE) -> Iterator[None]:
    command = [sys.executable, str(FAKES), "--count", str(count), "--network", NETWORK]
    command += ["--kinds", kind, "--port-base", str(port_base), *options]
    with running(command):
        yield


@contextmanager
def web_interfaces(count: int) -> Iterator[None]:
    """Of fakes at the usual ports."""
    ips = [asic.ip for asic in make_asics(count, NETWORK, ["antminer"], port_base=0)]
    with running([sys.executable, str(WEB), *ips]):
        yield


@contextmanager
def running(command: Sequence[str]) -> Iterator[None]:
    """From its first line on."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None  # noqa: S101
        process.stdout.readline()
        try:
            yield
        finally:
            process.terminate()
            process.communicate(timeout=20)


async def identities_of(asics: Sequence[FakeAsic]) -> list[Identity]:
    """They are of one model, so one stands for all."""
    first = await identify(asics[0].ip, asics[0].port)
    assert isinstance(first, Identity), first  # noqa: S101
    return [Identity(ip=each.ip, port=each.port, dialect=first.dialect, specs=first.specs) for each in asics]


async def own(asics: Sequence[FakeAsic]) -> Cost:
    async def ask(identity: Identity) -> None:
        sample = await poll(identity)
        assert isinstance(sample, Sample), sample  # noqa: S101

    return await in_turn(await identities_of(asics), ask)


async def in_turn(all_of_them: Sequence[object], ask: Callable[..., Awaitable[None]]) -> Cost:
    """Polls all of them in turn, `AT_ONCE` at a time, for a while."""
    polls, started, cpu_s = 0, time.perf_counter(), time.process_time()

    async def work(part: Sequence[object]) -> None:
        nonlocal polls
        while time.perf_counter() - started < FOR_S:
            for each in part:
                await ask(each)
                polls += 1

    async with asyncio.TaskGroup() as group:
        for worker in range(AT_ONCE):
            group.create_task(work(all_of_them[worker::AT_ONCE]))
    return {"polls": polls, "cpu_s": time.process_time() - cpu_s, "peak_mb": peak_mb()}


def peak_mb() -> float:
    """Of this program: `ru_maxrss` would be that of the one that started it, where that was larger."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))


async def sweep(asics: Sequence[FakeAsic]) -> Cost:
    """Each once, as many at once as the service allows itself."""
    identities, free = await identities_of(asics), asyncio.Semaphore(SWEEP_AT_ONCE)

    async def one(identity: Identity) -> None:
        async with free:
            sample = await poll(identity)
            assert isinstance(sample, Sample), sample  # noqa: S101

    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for identity in identities:
            group.create_task(one(identity))
    return {"polls": len(identities), "took_s": time.perf_counter() - started, "peak_mb": peak_mb()}


async def pyasic_rs(asics: Sequence[FakeAsic]) -> Cost:
    factory = importlib.import_module("pyasic_rs").MinerFactory()
    miners = [await factory.get_miner(asic.ip) for asic in asics]

    async def ask(miner: object) -> None:
        data = await miner.get_data()  # type: ignore[attr-defined]  # a peer, not a dependency
        assert data.hashrate, data  # noqa: S101

    return await in_turn(miners, ask)


async def pyasic(asics: Sequence[FakeAsic]) -> Cost:
    """As the class that it has for this model, which reads stock firmware by cgminer's API and the web interface."""
    peer = importlib.import_module("pyasic.miners.antminer.bmminer").BMMinerS19Pro
    miners = [peer(asic.ip) for asic in asics]

    async def ask(miner: object) -> None:
        data = await miner.get_data()  # type: ignore[attr-defined]  # a peer, not a dependency
        assert data.hashrate, data  # noqa: S101

    return await in_turn(miners, ask)


MEASURES = {"own": own, "own_usual_ports": own, "sweep": sweep, "pyasic_rs": pyasic_rs, "pyasic": pyasic}


def main() -> None:
    what, kind, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    raise_open_files(8192)
    ours = what in ("own", "sweep")
    asics = make_asics(count, NETWORK, [kind], port_base=PORT_BASE if ours else 0)
    run = uvloop.run if what.startswith(("own", "sweep")) else asyncio.run
    print(json.dumps(run(MEASURES[what](asics))), flush=True)
    os._exit(0)  # pyasic-rs may abort at the interpreter's own end


if __name__ == "__main__":
    main()
