"""The size on the disk of a rig with a year of history, from the size of each part of it."""

import argparse
import asyncio
import random
import sqlite3
import tempfile
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

import msgspec
from commander.db import to_us
from commander.history.moments import pack_moments
from commander.migrations import migrate
from commander.raw_logs import codec
from commander.raw_logs.dictionary_training import made_from
from commander.raw_logs.starter import starter_of
from commander.registry.kinds import RigKind
from protocol.asic_messages import AsicBoard, AsicLog, AsicPool, PowerSource
from seed_history import seed_all
from simulated_rig import simulated_rig

from bench.table import row

DAYS, RIGS = 27, 4
LOGS_A_DAY, ROLLED_HOURS = 8_640, 31 * 24
ROW_BYTES = 24  # a raw log's key and header
BUDGET_MB = {RigKind.CPU_GPU: 10, RigKind.ASIC: 4}
NAMES = {RigKind.CPU_GPU: ("8-GPU rig", "cpu_gpu"), RigKind.ASIC: ("ASIC", "asic")}


class PackedBytes(NamedTuple):
    """A log's mean size: as JSON, and packed."""

    plain: float
    alone: float
    with_shipped: float
    with_own: float


def size_rows() -> None:
    raw = {RigKind.CPU_GPU: _packed_log(), RigKind.ASIC: _packed_asic_log()}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "commander.db"
        migrate(path)
        given = argparse.Namespace(rigs=RIGS, asics=RIGS, days=DAYS, cards=8)
        asyncio.run(seed_all(f"sqlite:///{path}", given, now_s=to_us(datetime.now(UTC)) // 1_000_000))
        with closing(sqlite3.connect(path)) as database:
            for kind, log_bytes in raw.items():
                _rows_of(database, kind, log_bytes)


def packed_day_bytes() -> float:
    """A day of an 8-GPU rig's raw logs, with every figure of every report."""
    return LOGS_A_DAY * (_packed_log().with_own + ROW_BYTES)


def _rows_of(database: sqlite3.Connection, kind: RigKind, size: PackedBytes) -> None:
    name, prefix = NAMES[kind]
    log_bytes = size.with_own
    row(f"a log of an {name}, packed by itself", f"{size.alone:.0f} bytes", f"{size.plain:,.0f} bytes of JSON")
    for how, packed in (("shipped", size.with_shipped), ("farm's", size.with_own)):
        row(f"  with the {how} dictionary", f"{packed:.0f} bytes", f"{packed / size.alone:.2f} of it")
    minutes, tens, hours = (_bytes_of(database, f"{prefix}_{tier}") for tier in ("minutes", "ten_minutes", "hours"))
    parts = {
        "raw 24 h": LOGS_A_DAY * (log_bytes + ROW_BYTES),
        "minutes 7 d": minutes,
        "ten minutes 90 d": tens * 90 / DAYS,
        "hours 1 y": hours * 365 / DAYS,
        "times of logs 31 d": ROLLED_HOURS * (_moments() + ROW_BYTES),
    }
    told = ", ".join(f"{what} {taken / 1e6:.2f}" for what, taken in parts.items())
    row(f"an {name} with a year of history", f"{sum(parts.values()) / 1e6:.1f} MB", f"goal: {BUDGET_MB[kind]} MB")
    print(f"  ({told})")


def _bytes_of(database: sqlite3.Connection, table: str) -> float:
    """Of one rig, pages with all that is in them."""
    names = (table, f"sqlite_autoindex_{table}_1")
    (size,) = database.execute("SELECT sum(pgsize) FROM dbstat WHERE name IN (?, ?)", names).fetchone()
    return float(size) / RIGS


def _packed_log() -> PackedBytes:
    now = datetime.now(UTC)
    rigs = [simulated_rig(number, seed=3, cards=8) for number in range(60)]
    logs = [rig.log(now + timedelta(seconds=10 * at)) for at in range(30) for rig in rigs]
    return _packed(RigKind.CPU_GPU, [msgspec.json.encode(log) for log in logs])


def _packed_asic_log() -> PackedBytes:
    now, chance = datetime.now(UTC), random.Random(1)
    asics = range(60)
    logs = [
        _asic_log(number, now + timedelta(seconds=10 * at), 10 * at, chance) for at in range(30) for number in asics
    ]
    return _packed(RigKind.ASIC, [msgspec.json.encode(log) for log in logs])


def _asic_log(number: int, taken_at: datetime, up_s: int, chance: random.Random) -> AsicLog:
    board_hs = [round(chance.gauss(37e12, 2e11), -7) for _ in range(3)]
    hot_c = [float(round(chance.gauss(70 + slot, 0.6))) for slot in range(3)]
    shares = 7_000 + up_s // 4 + number
    return AsicLog(
        taken_at=taken_at,
        uptime_s=86_400 * number + up_s,
        lan_ip=f"10.1.0.{number}",
        algorithm="SHA-256",
        coin="Bitcoin",
        hashrate_hs=sum(board_hs),
        hashrate_window_s=5,
        average_hashrate_hs=round(chance.gauss(110e12, 1e10), -7),
        expected_hashrate_hs=110e12,
        power_w=float(round(chance.gauss(3_250, 12))),
        power_source=PowerSource.REPORTED,
        temperature_c=max(hot_c),
        boards=[
            AsicBoard(slot=slot, hashrate_hs=rate_hs, inlet_temperature_c=hot - 14, outlet_temperature_c=hot, chips=126)
            for slot, (rate_hs, hot) in enumerate(zip(board_hs, hot_c, strict=True))
        ],
        fans_rpm=[float(round(chance.gauss(5_880, 40) / 30) * 30) for _ in range(4)],
        pools=[
            AsicPool(
                url="stratum+tcp://pool.example:3333", user=f"farm.{number}", accepted=shares, rejected=shares // 900
            ),
            AsicPool(url="stratum+tcp://backup.example:3333", user=f"farm.{number}", accepted=0, rejected=0),
        ],
        rejected_percent=0.11,
    )


def _packed(kind: RigKind, logs: list[bytes]) -> PackedBytes:
    """Half of them teach, the others are packed."""
    made, (number, body) = made_from(logs[: len(logs) // 2]), starter_of(kind)
    codec.learn(made.dict_id(), made.as_bytes())
    codec.learn(number, body)
    packers = (codec.Packer(), codec.Packer({kind: number}), codec.Packer({kind: made.dict_id()}))
    rest = logs[len(logs) // 2 :]
    return PackedBytes(
        fmean(map(len, rest)), *(fmean(len(each.pack(kind, log)[1]) for log in rest) for each in packers)
    )


def _moments() -> int:
    """With the jitter of a busy rig's timer."""
    chance = random.Random(1)
    return len(pack_moments([at * 10_000_000 + round(chance.gauss(100, 3)) * 1000 for at in range(360)]))
