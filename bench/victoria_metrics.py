"""The same day of the same rigs in VictoriaMetrics and in a commander: what it takes on the disk, and how long a chart
of it takes. VictoriaMetrics keeps every sample; a commander keeps the day's raw logs and rolls them up into minutes."""

import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import msgspec
from free_ports import free_port
from protocol.messages import CpuGpuLog
from simulated_rig import simulated_rig

from bench.peers import victoria_metrics
from bench.table import row
from tests.farm import eventually

RIGS, CARDS, LOGS_EACH, EVERY_S, ASKED, POINTS = 10, 8, 8_640, 10, 40, 500
Series = dict[tuple[str, str], tuple[list[float], list[int]]]


def victoria_metrics_rows(our_chart_ms: float, our_day_bytes: float) -> None:
    """`our_chart_ms` is the middle of a commander's answers for a rig's hashrates of a day."""
    program = victoria_metrics()
    if program is None:
        row("VictoriaMetrics: a rig's hashrates of a day", "not installed", "make bench PEERS=1 fetches it")
        return
    with tempfile.TemporaryDirectory() as folder:
        with serving(program, Path(folder)) as client:
            for number in range(1, RIGS + 1):
                _import(client, number)
            client.get("/internal/force_flush").raise_for_status()
            chart_ms = _chart_ms(client)
        day_bytes = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file()) / RIGS
    ratio = f"ours {our_chart_ms:.0f} ms, {our_chart_ms / chart_ms:.1f} of it"
    row("VictoriaMetrics: a rig's hashrates of a day", f"p50 {chart_ms:.0f} ms", ratio)
    ratio = f"ours {our_day_bytes / 1e6:.2f} MB, {our_day_bytes / day_bytes:.2f} of it"
    row("VictoriaMetrics: an 8-GPU rig's day on the disk", f"{day_bytes / 1e6:.2f} MB", ratio)


@contextmanager
def serving(program: str, folder: Path) -> Iterator[httpx.Client]:
    port = free_port()
    command = [program, f"-storageDataPath={folder}", f"-httpListenAddr=127.0.0.1:{port}", "-retentionPeriod=1y"]
    with (
        subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client,
    ):
        try:
            eventually(lambda: _is_up(client), within_s=30, what="VictoriaMetrics' start")
            yield client
        finally:
            process.terminate()  # it writes what it still holds
            process.wait(timeout=60)


def _is_up(client: httpx.Client) -> bool:
    try:
        return client.get("/health").status_code == 200
    except httpx.TransportError:
        return False


def _import(client: httpx.Client, number: int) -> None:
    series: Series = {}
    rig = simulated_rig(number, seed=1, cards=CARDS)
    start = datetime.now(UTC) - timedelta(seconds=EVERY_S * LOGS_EACH)
    for at in range(LOGS_EACH):
        taken_at = start + timedelta(seconds=EVERY_S * at)
        log = rig.log(taken_at)
        if log is not None:
            _add(series, log, int(taken_at.timestamp() * 1000))
    lines = [
        {"metric": {"__name__": name, "device": device, "rig": str(number)}, "values": values, "timestamps": times}
        for (name, device), (values, times) in series.items()
    ]
    client.post("/api/v1/import", content=b"\n".join(map(msgspec.json.encode, lines))).raise_for_status()


def _add(series: Series, log: CpuGpuLog, at_ms: int) -> None:
    """Every figure of the log that a commander draws."""
    figures: dict[tuple[str, str], float | None] = {("cpu", name): value for name, value in _numbers(log.cpu)}
    for gpu in log.gpus:
        figures |= {(gpu.pci_address, name): value for name, value in _numbers(gpu)}
    for miner in log.miners:
        figures |= {(device.device, "hashrate_hs"): device.hashrates_hs[0] for device in miner.devices}
    for (device, name), value in figures.items():
        if value is not None:
            values, times = series.setdefault((name, device), ([], []))
            values.append(value)
            times.append(at_ms)


def _numbers(reading: object) -> list[tuple[str, float]]:
    fields = msgspec.structs.asdict(reading) if isinstance(reading, msgspec.Struct) else {}
    return [(name, value) for name, value in fields.items() if isinstance(value, float)]


def _chart_ms(client: httpx.Client) -> float:
    waited_ms = []
    for at in range(ASKED):
        step_s = EVERY_S * LOGS_EACH // POINTS
        query = f'avg_over_time(hashrate_hs{{rig="{1 + at % RIGS}"}}[{step_s}s])'
        end_s = int(time.time())
        asked: dict[str, str | int] = {
            "query": query,
            "start": end_s - 86_400,
            "end": end_s,
            "step": step_s,
            "nocache": 1,
        }
        began_s = time.perf_counter()
        answer = client.get("/api/v1/query_range", params=asked).raise_for_status().json()
        waited_ms.append(1e3 * (time.perf_counter() - began_s))
        assert len(answer["data"]["result"]) >= CARDS  # noqa: S101
    return statistics.median(waited_ms)
