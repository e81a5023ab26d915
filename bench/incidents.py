"""The cost of the engine of incidents for 10,000 rigs: quiet, hot, all silent at once; and of an hour of flapping."""

import asyncio
import random
import statistics
import time
import tracemalloc
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import msgspec
import sqlalchemy as sa
from commander.alert_rules import store as rule_store
from commander.alert_rules.source import AlertRules
from commander.alert_rules.view import Usual
from commander.db import Database, open_database
from commander.incidents.round import Engine
from commander.incidents.source import IncidentSource
from commander.incidents.tables import conditions, incidents
from commander.incidents.writer import IncidentWriter
from commander.jobs.leadership import Leadership
from commander.live.badge import Badge
from commander.live.channels import Channels
from commander.live.cluster import SingleNode
from commander.live.operational_index import OperationalIndex
from commander.live.rigs import LiveRigs
from commander.maintenance.rigs_now import RigsInMaintenance
from commander.migrations import migrate
from commander.notifications.outbox import Outbox
from commander.notifications.tables import notifications
from commander.overview.source import OverviewSource
from commander.readings.decode import READERS, DecodedLog
from commander.registry.kinds import RigKind
from commander.rigs.cpu_gpu_responses import log_json, rig_json

from bench.table import no_peer, row

RIGS, CARDS, ROUNDS, HOT, FLAPPING = 10_000, 8, 12, 1_000, 200
START = datetime(2026, 11, 20, tzinfo=UTC)
EVERY_S = 5.0


def incident_rows() -> None:
    asyncio.run(_rows())
    no_peer("it exists only here")


async def _rows() -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "commander.db"
        migrate(path)
        async with open_database(f"sqlite:///{path}") as database:
            farm = BenchFarm(database, RIGS)
            await farm.begin()
            await _rows_of_rounds(farm)
            await _rows_of_silence(farm)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "commander.db"
        migrate(path)
        async with open_database(f"sqlite:///{path}") as database:
            kept, rows = await BenchFarm(database, FLAPPING).flap()
            row(f"an hour in which {FLAPPING} rigs flap every 90 s", f"{kept / 1e6:+.1f} MB", f"{rows:+,} rows")


async def _rows_of_rounds(farm: "BenchFarm") -> None:
    quiet = [(await farm.round(reporting=0)).cpu_ms for _ in range(ROUNDS)]
    row(f"a round, {RIGS:,} rigs of {CARDS} cards, none of them changed", f"{statistics.median(quiet):.1f} ms")
    calm = [(await farm.round()).cpu_ms for _ in range(ROUNDS)]
    row("  half of them reported", f"{statistics.median(calm):.0f} ms")
    hot = [await farm.round(hot=HOT) for _ in range(40)]
    row(f"  {HOT:,} rigs at 81 °C, with a condition for each card", f"{statistics.median(_cpu(hot[2:])):.0f} ms")
    row("  the longest time in which nothing else ran", f"{max(each.blocked_ms for each in hot):.0f} ms")
    for _ in range(70):
        await farm.round()


def _cpu(rounds: "Sequence[RoundCost]") -> list[float]:
    return [each.cpu_ms for each in rounds]


async def _rows_of_silence(farm: "BenchFarm") -> None:
    """All rigs stop reporting at once, by no fault of the commander, until the message about it is written."""
    silent = [await farm.round(reporting=0) for _ in range(50)]
    row(f"all {RIGS:,} rigs go silent: the longest round", f"{max(_cpu(silent)):.0f} ms")
    row("  all rounds of the first 4 min", f"{sum(_cpu(silent)):.0f} ms")
    row("  the longest time in which nothing else ran", f"{max(each.blocked_ms for each in silent):.0f} ms")
    still = [(await farm.round(reporting=0)).cpu_ms for _ in range(ROUNDS)]
    row("  a round while they stay silent", f"{statistics.median(still):.1f} ms")
    overview = OverviewSource(farm.database, farm.lives, Badge(), SingleNode())
    begin = time.process_time()
    await overview.read_incidents()
    await overview.render({})
    row("  the overview page", f"{1e3 * (time.process_time() - begin):.0f} ms")


class RoundCost(NamedTuple):
    """Milliseconds of the process, and the longest of them in which no other task of it had its turn."""

    cpu_ms: float
    blocked_ms: float


class BenchFarm:
    """Rigs of one kind; half of them report before each round."""

    def __init__(self, database: Database, rigs: int) -> None:
        self.rigs = rigs
        index = OperationalIndex(stale_after_s=45, offline_after_s=60)
        self.live = LiveRigs(RigKind.CPU_GPU, index, Channels(), describe=rig_json, describe_log=log_json)
        asics = LiveRigs(
            RigKind.ASIC,
            OperationalIndex(stale_after_s=45, offline_after_s=60),
            Channels(),
            describe=rig_json,
            describe_log=log_json,
        )
        self.lives = {RigKind.CPU_GPU: self.live, RigKind.ASIC: asics}
        self.database = database
        rules = AlertRules(database, SingleNode())
        self.engine = Engine(
            database,
            self.lives,
            rules,
            IncidentWriter(self.lives, Outbox(self.lives), group_wait_s=30.0),
            IncidentSource(database, Channels(), Badge(), SingleNode(), self.lives),
            RigsInMaintenance(database, self.lives),
            Leadership(database, holder="bench", is_alone=True),
            problems=_none,
        )
        self.now, self.now_s, self.turn = START, 1_000.0, 0
        dice = random.Random(7)
        self.cool_logs = [_read(_log(dice, number, 64.0)) for number in range(200)]
        self.hot_logs = [_read(_log(dice, number, 81.0)) for number in range(200)]

    async def begin(self) -> None:
        async with self.database.transaction() as db:
            await rule_store.add_shipped(db)
        for number in range(self.rigs):
            state = self.live.index.add(number + 1, f"rig-{number:05}")
            state.tags = (f"hall:{number % 20}", f"rack:{number % 300}")
        usual = Usual(hashrates_hs={"kHeavyHash": 5e9}, power_w=1_600.0)
        self.engine.evaluation.usual = {("cpu-gpu", number + 1): usual for number in range(self.rigs)}
        for _ in range(2):
            await self.round()

    async def round(self, *, hot: int = 0, reporting: int | None = None) -> RoundCost:
        """Returns the cost of the engine alone. `reporting`: so many rigs report; None: half of them."""
        self._report(hot, self.rigs if reporting is None else reporting)
        longest, done = [0.0], asyncio.Event()
        watching = asyncio.create_task(_watch(longest, done))
        await asyncio.sleep(0)
        begin = time.process_time()
        await self.engine.round(self.now, self.now_s)
        cost = 1e3 * (time.process_time() - begin)
        done.set()
        await watching
        return RoundCost(cost, 1e3 * longest[0])

    async def flap(self) -> tuple[int, int]:
        """Returns by how many bytes and rows the farm grows in an hour of flapping, after the first ten minutes."""
        await self.begin()
        tracemalloc.start()
        bytes_before, rows_before = 0, 0
        for step in range(840):
            is_hot = (step * EVERY_S // 90) % 2 == 0
            await self.round(hot=self.rigs if is_hot else 0)
            if step == 120:
                bytes_before, rows_before = tracemalloc.get_traced_memory()[0], await self._rows()
        kept = tracemalloc.get_traced_memory()[0] - bytes_before
        tracemalloc.stop()
        return kept, await self._rows() - rows_before

    async def _rows(self) -> int:
        tables = (conditions, incidents, notifications)
        async with self.database.reading() as db:
            counts = [(await db.execute(sa.select(sa.func.count()).select_from(each))).scalar_one() for each in tables]
        return sum(counts)

    def _report(self, hot: int, reporting: int) -> None:
        self.now += timedelta(seconds=EVERY_S)
        self.now_s += EVERY_S
        self.turn += 1
        for number in range(self.turn % 2, reporting, 2):
            logs = self.hot_logs if number < hot else self.cool_logs
            log = logs[(number + self.turn) % len(logs)]
            self.live.index.report(
                number + 1, log.body, log.summary, taken_at=self.now, reported_at=self.now, now_s=self.now_s
            )


async def _watch(longest: list[float], done: asyncio.Event) -> None:
    before = time.thread_time()
    while not done.is_set():
        await asyncio.sleep(0.001)
        longest[0] = max(longest[0], time.thread_time() - before)
        before = time.thread_time()


async def _none(now: datetime) -> dict[str, str]:
    return {}


def _read(log: dict[str, object]) -> DecodedLog:
    return READERS[RigKind.CPU_GPU](msgspec.json.encode(log))


def _log(dice: random.Random, number: int, core_c: float) -> dict[str, object]:
    work = {"algorithm": "kHeavyHash", "coin": "Kaspa", "pool": "pool.example:3333", "user": f"kaspa:qq{number}"}
    counts = {"accepted": 10_000 + number, "rejected": 10, "stale": 3, "hashrate_hs": dice.uniform(4.9e9, 5.1e9)}
    cards = [
        {"pci_address": f"0000:{n:02}:00.0", "temperature_c": core_c, "fan_percent": 70.0, "power_w": 200.0}
        for n in range(CARDS)
    ]
    miner = {"software": "lolminer", "state": "mining", "algorithms": [work | counts]}
    return {"taken_at": START.isoformat(), "lan_ip": f"10.0.{number}.7", "gpus": cards, "miners": [miner]}
