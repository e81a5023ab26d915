"""The cost of the whole ASIC sentry with 1,000 ASICs every 10 s: polling, spool, reports over HTTPS and page.

It also measures how late healthy ASICs are polled while a tenth of all is dead, hung or sends garbage."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import psutil
from asic_sentry.asics import store
from asic_sentry.asics.asic import Rig
from asic_sentry.asics.store import SCHEMA, STORE, NewAsic
from asic_sentry.poll import Identity
from fake_asics import make_asics
from free_ports import free_port
from protocol.asic_messages import AsicSpecs
from protocol.tokens import parse_token
from sentry_kit import store as kit
from sentry_kit.store import Enrolment, State

from bench.asic_poll import PORT_BASE, fakes
from bench.table import no_peer, row

ROOT = Path(__file__).parent.parent
NETWORK, COUNT, EVERY_S, SETTLE_S, WINDOW_S = "127.20.0.0/16", 1_000, 10, 25, 40
FAULTS = ("--fault", "silent:3", "--fault", "refused:3", "--fault", "garbage:2", "--fault", "black_hole:2")
KINDS = {
    "antminer": AsicSpecs(make="Antminer", model="S19 Pro"),
    "iceriver": AsicSpecs(make="IceRiver", model="KS5L"),
}


def asic_service_rows() -> None:
    for kind in KINDS:
        cost = cost_of(kind)
        what = f"ASIC sentry: 1,000 of {kind} every {EVERY_S} s, whole service"
        remark = f"{cost['mb']:.0f} MB, {cost['stored_per_s']:.0f} logs/s stored; goal 5 %, 60 MB"
        row(what, f"{cost['percent']:.1f} % of a core", remark)
    cost = cost_of("iceriver", *FAULTS)
    what = "ASIC sentry: lateness of a poll, 10 % dead, hung, garbage"
    row(what, f"p99 {cost['late_p99_ms']:.0f} ms", f"p50 {cost['late_p50_ms']:.0f} ms; goal 250 ms")
    no_peer("pyasic and pyasic-rs only poll: no spool, no reports")


def cost_of(kind: str, *faults: str) -> dict[str, float]:
    with (
        tempfile.TemporaryDirectory() as name,
        fakes(kind, COUNT, *faults),
        commander(Path(name)) as (url, token, count),
    ):
        folder = Path(name)
        prepare(folder, kind, url, token)
        environment = os.environ | {
            "ASIC_SENTRY_DATA_DIR": str(folder),
            "ASIC_SENTRY_UI_PORT": str(free_port()),
            "ASIC_SENTRY_POLL_EVERY_S": str(EVERY_S),
        }
        command = [sys.executable, "-m", "bench.asic_service"]
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
            assert process.stdout is not None  # noqa: S101
            time.sleep(SETTLE_S)
            watched = psutil.Process(process.pid)
            before, stored = cpu_s(watched), count()
            time.sleep(WINDOW_S)
            percent = 100 * (cpu_s(watched) - before) / WINDOW_S
            mb = watched.memory_info().rss / 2**20
            stored_per_s = (count() - stored) / WINDOW_S
            process.terminate()
            late: dict[str, float] = json.loads(process.stdout.read().splitlines()[-1])
        return {"percent": percent, "mb": mb, "stored_per_s": stored_per_s, **late}


def cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


@contextmanager
def commander(folder: Path) -> Iterator[tuple[str, str, Callable[[], int]]]:
    """A small one, so that its own load does not weigh; its URL, an ASIC's token and a way to count."""
    command = [sys.executable, str(ROOT / "devtools" / "asic_commander.py"), "--folder", str(folder / "commander")]
    command += ["--every", str(EVERY_S), "--knows-all"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None  # noqa: S101
        url, site_token = process.stdout.readline().split()

        def count() -> int:
            process.send_signal(signal.SIGUSR1)
            return int(json.loads(process.stdout.readline())["stored"])  # type: ignore[union-attr]

        try:
            yield url, site_token, count
        finally:
            process.terminate()
            process.communicate(timeout=20)


def prepare(folder: Path, kind: str, url: str, site_token: str) -> None:
    """A store with all of them, as an adoption leaves it."""
    site = parse_token(site_token)
    ca_pem = (folder / "commander" / "tls" / "ca.pem").read_text()
    with closing(kit.open_store(folder / STORE, SCHEMA)) as db, kit.transaction(db):
        kit.save_enrolment(db, Enrolment(url, site, ca_pem, None, None, State.ONLINE))
        for asic in make_asics(COUNT, NETWORK, [kind], port_base=PORT_BASE):
            put(db, asic.number, Identity(ip=asic.ip, port=asic.port, dialect=kind, specs=KINDS[kind]), site.pin)


def put(db: sqlite3.Connection, number: int, identity: Identity, pin: str | None) -> None:
    token = parse_token(f"mw_asic_{number:064x}" + (f"_{pin}" if pin else ""))
    new = NewAsic(identity=identity, operator_model=None, mac=None, token=token, rig=Rig(number, f"asic-{number}"))
    store.put_asic(db, new, datetime.now(UTC))


def main() -> None:
    """The service itself, with an ear on how late polls begin."""
    from asic_sentry.agent import Agent
    from asic_sentry.limits import raise_open_files
    from asic_sentry.run import run_fast, serve_page
    from asic_sentry.settings import settings_from
    from sentry_kit.running import run_on_store
    from sentry_kit.service import listen
    from sentry_kit.worker import Worker

    settings, late_s = settings_from(os.environ), list[float]()
    connections = raise_open_files()

    async def serve(db: sqlite3.Connection, disk: Worker) -> None:
        agent = Agent(settings, db, disk, connections=connections)
        agent.poller.listeners.late = late_s.append
        with listen(settings.ui_host, settings.ui_port, "ASIC_SENTRY_UI_PORT") as listener:
            await serve_page(settings, agent, listener)

    run_on_store(settings.data_dir / STORE, SCHEMA, store.KEPT, serve, runner=run_fast)
    ordered = sorted(late_s[COUNT:])  # after the first round
    figures = {f"late_p{part}_ms": 1000 * ordered[len(ordered) * part // 100] for part in (50, 99)}
    print(json.dumps(figures), flush=True)


if __name__ == "__main__":
    main()
