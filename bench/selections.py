"""The cost of 50 live selections per report, and of an evaluation of 10,000 rigs, in this process."""

import random
import statistics
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
from commander.live.channels import Channels
from commander.live.operational_index import OperationalIndex
from commander.live.rigs import LiveRigs
from commander.readings.cpu_gpu import summary_of
from commander.readings.summary import RigSummary
from commander.registry.kinds import RigKind
from commander.rig_pages.cpu_gpu import CPU_GPU
from commander.rig_pages.live_views import RigViews
from commander.rig_pages.pages import index_page
from commander.rigs.cpu_gpu_responses import log_json, rig_json
from commander.selections.live import LiveSelections
from commander.selections.parser import parse
from protocol.messages import CpuGpuLog

from bench.table import no_peer, row

RIGS, SELECTIONS, REPORTS = 10_000, 50, 40_000
CARDS = ("GeForce RTX 3080", "GeForce RTX 3090", "Radeon RX 6800")
PAGES = ("tag:hall:7", "temperature>60 gpu:3080", "kaspa", "10.0.3")
START = datetime(2026, 11, 20, tzinfo=UTC)
LINES = [
    *(f"tag:hall:{hall}" for hall in range(15)),
    *(f"temperature>{limit}" for limit in range(60, 70)),
    *(f"tag:hall:{hall} gpu:3080 -health:offline" for hall in range(10)),
    *(f"coin:kaspa hashrate<{limit}GH/s" for limit in range(1, 6)),
    *(f"ip:10.0.{net}.0/24" for net in range(5)),
    *(f"rig-{number}*" for number in range(5)),
]


def selection_rows() -> None:
    index, summaries = a_farm()
    alone_us = min(report_us(index, summaries) for _ in range(3))
    live = LiveSelections(RigKind.CPU_GPU, index)
    for line in LINES:
        live.of(parse(line))
    with_selections_us = min(report_us(index, summaries) for _ in range(3))
    added = f"{with_selections_us - alone_us:.1f} µs more"
    row(f"a report, {RIGS:,} rigs, {SELECTIONS} live selections", added, f"{alone_us:.1f} µs without")
    for line in PAGES:
        row(
            f"index page of 100 of {RIGS:,} rigs: {line}",
            f"{page_ms(index, line):.0f} ms",
            "first time this is searched",
        )
    floor_ms = comparison_ms(index)
    for line in ("temperature>65", "tag:hall:7 gpu:3080", "kaspa", "10.0.3"):
        first_ms = [evaluation_ms(index, line) for _ in range(5)]
        remark = f"{statistics.median(first_ms) / floor_ms:.0f} times the floor"
        row(f"evaluation of {RIGS:,} rigs: {line}", f"{statistics.median(first_ms):.1f} ms", remark)
    row("  floor: a comparison of one number of each rig", f"{floor_ms:.1f} ms")
    no_peer("for the page and the report: they exist only here")


def a_farm() -> tuple[OperationalIndex, list[RigSummary]]:
    """10,000 rigs with specs and tags, and two logs of eight cards for each thousandth rig: their numbers differ."""
    index, dice = OperationalIndex(stale_after_s=45, offline_after_s=60), random.Random(7)
    summaries = [summary_of(a_log(dice, number % 1_000)) for number in range(2_000)]
    for number in range(RIGS):
        gpus = [{"pci_address": f"0000:{n:02}:00.0", "name": CARDS[number % 3]} for n in range(8)]
        state = index.add(number + 1, f"rig-{number:05}", msgspec.json.encode({"hostname": f"h{number}", "gpus": gpus}))
        state.tags = (f"hall:{number % 20}", f"rack:{number % 300}")
    return index, summaries


def a_log(dice: random.Random, number: int) -> CpuGpuLog:
    work = {"algorithm": "kHeavyHash", "coin": "Kaspa", "pool": "pool.example:3333", "user": f"kaspa:qq{number}"}
    log = {
        "taken_at": START.isoformat(),
        "lan_ip": f"10.0.{number // 200}.{number % 200}",
        "gpus": [{"pci_address": f"0000:{n:02}:00.0", "temperature_c": dice.uniform(55, 70)} for n in range(8)],
        "miners": [
            {"software": "lolminer", "state": "mining", "algorithms": [work | {"hashrate_hs": dice.uniform(0, 6e9)}]}
        ],
    }
    return msgspec.convert(log, CpuGpuLog)


def report_us(index: OperationalIndex, summaries: Sequence[RigSummary]) -> float:
    """Returns the mean time of a report. Each has other numbers than the one before."""
    start_s, begin = time.monotonic(), time.process_time()
    for number in range(REPORTS):
        at_s = start_s + number
        at, summary = START + timedelta(seconds=at_s), summaries[number % 1_000 + 1_000 * (number // RIGS % 2)]
        index.report(number % RIGS + 1, b"{}", summary, taken_at=at, reported_at=at, now_s=at_s)
    return 1e6 * (time.process_time() - begin) / REPORTS


def evaluation_ms(index: OperationalIndex, line: str) -> float:
    """Returns the time until a new selection is known for all rigs."""
    live = LiveSelections(RigKind.CPU_GPU, index)
    begin = time.process_time()
    live.of(parse(line))
    return 1e3 * (time.process_time() - begin)


def comparison_ms(index: OperationalIndex) -> float:
    """Returns the time of a loop over all rigs that compares one number."""
    waited_ms = []
    for _ in range(5):
        begin = time.process_time()
        assert sum(state.id > RIGS // 2 for state in index.rigs.values()) == RIGS // 2  # noqa: S101
        waited_ms.append(1e3 * (time.process_time() - begin))
    return statistics.median(waited_ms)


def page_ms(index: OperationalIndex, line: str) -> float:
    """Returns the time until the HTML of the page is there: selected, ordered and rendered."""
    live = LiveRigs(RigKind.CPU_GPU, index, Channels(), describe=rig_json, describe_log=log_json)
    waited_ms = []
    for _ in range(5):
        views = RigViews(live, CPU_GPU)
        index_page(views, views.query({}), None)  # somebody has looked at the whole farm before
        begin = time.process_time()
        index_page(views, views.query({"select": line}), None)
        waited_ms.append(1e3 * (time.process_time() - begin))
    return statistics.median(waited_ms)
