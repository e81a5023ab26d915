"""The answers of each mining software in `answers/`, as one poll gets them."""

from pathlib import Path

import msgspec
import pytest
from cpu_gpu_sentry.miners.registry import SOFTWARE
from protocol.messages import MinerReading

ANSWERS = Path(__file__).parents[1] / "answers"
SETS = [
    ("xmrig", "xmrig__summary.json", "xmrig__backends.json"),
    ("xmrig-proxy", "xmrig_proxy__summary.json"),
    ("lolminer", "lolminer__dual.json"),
    ("lolminer", "lolminer__old.json"),
    ("trex", "trex__dual.json"),
    ("trex", "ccminer__summary.txt"),
    ("gminer", "gminer__dual.json"),
    ("gminer", "gminer__old.json"),
    (
        "teamredminer",
        "teamredminer__devs.json",
        "teamredminer__pools.json",
        "teamredminer__summary.json",
        "teamredminer__second.json",
        "teamredminer__devdetails.json",
    ),
    ("srbminer", "srbminer__dual.json"),
    ("srbminer", "srbminer__cpu.json"),
    ("srbminer", "srbminer__old.json"),
    ("rigel", "rigel__dual.json"),
    ("nbminer", "nbminer__dual.json"),
    ("bzminer", "bzminer__zil.json"),
    ("onezerominer", "onezerominer__dual.json"),
    ("wildrig", "wildrig__hwmon.json"),
    ("miniz", "miniz__getstat.json"),
    ("cpuminer", "cpuminer__summary.txt", "cpuminer__threads.txt"),
    ("ccminer", "ccminer__summary.txt", "ccminer__threads.txt", "ccminer__pool.txt"),
    ("claymore", "claymore__getstat1.json", "claymore__getstat2.json"),
    ("phoenixminer", "phoenixminer.json"),
    ("ethminer", "ethminer.json"),
    ("ttminer", "ttminer.json"),
    ("nanominer", "nanominer__stats.json"),
    ("bminer", "bminer__solver.json", "bminer__device.json", "bminer__stratum.json"),
    ("bminer", "bminer__first.json"),
]
CASES = pytest.mark.parametrize("answered", SETS, ids=[names[1] for names in SETS])


def answers(answered: tuple[str, ...]) -> tuple[str, list[bytes]]:
    software, *names = answered
    return software, [(ANSWERS / name).read_bytes() for name in names]


def read(software: str, replies: list[bytes]) -> MinerReading:
    """Parses the answers. Leaves out the uptime: where software reports its start, it follows from the clock."""
    return msgspec.structs.replace(SOFTWARE[software].parse(replies), uptime_s=None)
