"""The cost of history: charts of 1,000 rigs with 90 days of history and with 10, its size, and the roll-up."""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import psutil
from commander.db import Database, open_database, to_us
from commander.history.roll_up import roll_up
from commander.intake.group_commit import GroupCommit
from commander.migrations import migrate
from commander.raw_logs.dictionary_training import make_if_it_pays
from commander.raw_logs.store import NewLog
from commander.readings.summary import NO_SUMMARY
from commander.registry.kinds import RigKind
from protocol.messages import CpuGpuLog
from seed_history import seed_all
from simulated_rig import simulated_rig

from bench.history_size import packed_day_bytes, size_rows
from bench.table import row
from bench.victoria_metrics import victoria_metrics_rows
from tests.farm import CommanderProcess, running_commander

RIGS, FARM_RIGS, WATCHED, ASKED = 1_000, 5_000, 20, 40
HOUR = timedelta(hours=1)
RANGES = {"1 h": HOUR, "24 h": 24 * HOUR, "7 d": 168 * HOUR, "90 d": 90 * 24 * HOUR, "1 y": 365 * 24 * HOUR}
CHARTS = {"hashrate of all devices": "&figures=hashrate_hs", "every figure at once": ""}


def history_rows() -> None:
    for days in (90, 10):
        with seeded_farm(rigs=RIGS, days=days) as commander:
            _chart_rows(commander, days)
            _farm_rows(commander, f"{RIGS:,} rigs, {days} days")
    with seeded_farm(rigs=FARM_RIGS, days=1) as commander:
        _farm_rows(commander, f"{FARM_RIGS:,} rigs")
    asyncio.run(_roll_up_row())
    size_rows()
    with seeded_farm(rigs=WATCHED, days=1) as commander:
        _victoria_metrics_rows(commander)


@contextmanager
def seeded_farm(*, rigs: int, days: int) -> Iterator[CommanderProcess]:
    """A commander that serves a farm with a past; of some rigs there are also the logs of the last hour."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data" / "commander.db"
        path.parent.mkdir()
        migrate(path)
        given = argparse.Namespace(rigs=rigs, asics=0, days=days, cards=8)
        start = time.monotonic()
        asyncio.run(seed_all(f"sqlite:///{path}", given, now_s=to_us(datetime.now(UTC)) // 1_000_000))
        asyncio.run(_report_an_hour(path))
        size = path.stat().st_size / 2**20
        row(f"seeding {rigs:,} rigs x {days} days", f"{time.monotonic() - start:.0f} s", f"{size:,.0f} MiB")
        with running_commander(Path(folder)) as commander:
            yield commander


async def _report_an_hour(path: Path) -> None:
    now = datetime.now(UTC)
    async with open_database(f"sqlite:///{path}") as database:
        commit = GroupCommit(database, lambda log: None)
        async with commit.running():
            for rig_id in range(1, WATCHED + 1):
                await commit.write(an_hour(rig_id, now - HOUR))


def an_hour(rig_id: int, since: datetime) -> list[NewLog]:
    """Returns the logs of an 8-GPU rig in an hour, one every 10 s."""
    rig = simulated_rig(rig_id, seed=1, cards=8)
    logs = []
    for at in range(360):
        taken_at = since + timedelta(seconds=10 * at, milliseconds=(rig_id * 37 + at * 7) % 19)
        body = msgspec.json.encode(rig.log(taken_at))
        logs.append(NewLog(RigKind.CPU_GPU, rig_id, to_us(taken_at), body, NO_SUMMARY))
    return logs


def _chart_rows(commander: CommanderProcess, days: int) -> None:
    for chart, only in CHARTS.items():
        for what, length in RANGES.items():
            paths = [f"/api/v1/cpu-gpu-rigs/{rig_id}/history" for rig_id in _rigs()]
            told, cpu_ms = _asked(commander, paths, length, only)
            row(f"rig chart, {RIGS:,} rigs x {days} days, {what}", told, f"{chart}, {cpu_ms:.0f} ms CPU")


def _rigs() -> list[int]:
    return [1 + at % WATCHED for at in range(ASKED)]


def _farm_rows(commander: CommanderProcess, of: str) -> None:
    told, cpu_ms = _asked(commander, ["/api/v1/cpu-gpu-stats/history"] * ASKED, 24 * HOUR, "")
    row("farm chart of 24 h", told, f"{of}, {cpu_ms:.0f} ms CPU")


def _asked(commander: CommanderProcess, paths: list[str], length: timedelta, only: str) -> tuple[str, float]:
    """Returns how long people wait for each, and the CPU time that the commander spends on one."""
    waited_ms, cpu_ms = _waited_ms(commander, paths, length, only)
    cuts = statistics.quantiles(waited_ms, n=20)
    return f"p50 {cuts[9]:.0f}, p95 {cuts[18]:.0f} ms", cpu_ms


def _waited_ms(
    commander: CommanderProcess, paths: list[str], length: timedelta, only: str
) -> tuple[list[float], float]:
    """Every answer's time, and the mean of the commander's CPU time."""
    assert commander.process is not None  # noqa: S101 - it runs
    server, waited_ms = psutil.Process(commander.process.pid), list[float]()
    with commander.client(commander.api_key(f"bench {time.monotonic_ns()}")) as people:
        before = sum(server.cpu_times()[:2])
        for path in paths:
            since = (datetime.now(UTC) - length).isoformat().replace("+00:00", "Z")
            start = time.perf_counter()
            people.get(f"{path}?from={since}&points=500{only}").raise_for_status()
            waited_ms.append(1e3 * (time.perf_counter() - start))
        cpu_ms = 1e3 * (sum(server.cpu_times()[:2]) - before) / len(paths)
    return waited_ms, cpu_ms


def _victoria_metrics_rows(commander: CommanderProcess) -> None:
    paths = [f"/api/v1/cpu-gpu-rigs/{rig_id}/history" for rig_id in _rigs()]
    waited_ms, _ = _waited_ms(commander, paths, 24 * HOUR, CHARTS["hashrate of all devices"])
    victoria_metrics_rows(statistics.median(waited_ms), packed_day_bytes())


async def _roll_up_row() -> None:
    """An hour of full reports of some rigs, as the job takes it, in CPU time of this process."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "commander.db"
        migrate(path)
        now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        async with open_database(f"sqlite:///{path}") as database:
            await _seed_rigs(path)
            commit = GroupCommit(database, lambda log: None)
            async with commit.running():
                await _rolled_day(database, commit, now)


async def _seed_rigs(path: Path) -> None:
    given = argparse.Namespace(rigs=WATCHED, asics=0, days=1, cards=8)
    await seed_all(f"sqlite:///{path}", given, now_s=to_us(datetime.now(UTC)) // 1_000_000 - 86_400)


async def _rolled_day(database: Database, commit: GroupCommit, now: datetime) -> None:
    cpu_s, floor_s = 0.0, 0.0
    hours = 4
    for hour in range(hours):
        begin = now - (hours + 1 - hour) * HOUR
        reported = [an_hour(rig_id, begin) for rig_id in range(1, WATCHED + 1)]
        for logs in reported:
            await commit.write(logs)
        floor_s += decoding_s(reported)
        await make_if_it_pays(database, commit.packer, now=begin + HOUR)
        before = time.process_time()
        await roll_up(database, now=begin + HOUR + timedelta(minutes=3))
        cpu_s += time.process_time() - before
    each_ms, floor_ms = (1e3 * spent_s / hours / WATCHED for spent_s in (cpu_s, floor_s))
    share = each_ms / 1e3 * RIGS / 3600
    row(f"roll-up, {RIGS:,} 8-GPU rigs at 10 s", f"{100 * share:.1f} % of a core", f"{each_ms:.0f} ms CPU a rig's hour")
    remark = f"the roll-up takes {each_ms / floor_ms:.1f} times as long"
    row("  floor: decoding the same logs", f"{floor_ms:.1f} ms CPU a rig's hour", remark)


def decoding_s(reported: Iterable[list[NewLog]]) -> float:
    """Returns the CPU time that msgspec needs to read these logs."""
    decoder = msgspec.json.Decoder(CpuGpuLog)
    before = time.process_time()
    for logs in reported:
        for log in logs:
            decoder.decode(log.body)
    return time.process_time() - before
