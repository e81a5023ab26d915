"""The summary of a log that the operational index needs, for each kind of rig."""

from functools import lru_cache
from typing import NamedTuple

import msgspec
from protocol.messages import UNKNOWN_ALGORITHM

from commander.readings.algorithms import one_name
from commander.readings.coins import one_coin
from commander.readings.faults import Fault
from commander.readings.traits import NO_MINING, Mining

OTHER = "other"  # the name of all works, or devices, beyond the bounds
WORKS_OF_A_RIG = 64


class Work(NamedTuple):
    """A coin and an algorithm, as the rig reports them: `coin` is None if its software does not report it."""

    coin: str | None
    algorithm: str

    @property
    def label(self) -> str:
        """The name in totals: the coin, or the algorithm if no coin is known."""
        return self.coin or self.algorithm

    @property
    def adds_up(self) -> bool:
        """True if hashrates of this work can be added: an unknown algorithm may be anything."""
        return self.coin is not None or self.algorithm != UNKNOWN_ALGORITHM

    @property
    def named(self) -> "Work":
        """Returns the same work under the names that totals and history use."""
        return _named(self)


@lru_cache(maxsize=4096)
def _named(work: Work) -> Work:
    """Returns the work itself if it already has these names. Called with every log."""
    coin, algorithm = None if work.coin is None else one_coin(work.coin), one_name(work.algorithm)
    return work if (coin, algorithm) == work else Work(coin, algorithm)


def bounded(hashrates_hs: dict[Work, float | None]) -> dict[Work, float | None]:
    """Returns a rig's hashrates with as many names as there is room for. The rest is added up as “other”."""
    if len(hashrates_hs) <= WORKS_OF_A_RIG:
        return hashrates_hs
    works = list(hashrates_hs)
    own = {work: hashrates_hs[work] for work in works[:WORKS_OF_A_RIG]}
    rest = [value for work in works[WORKS_OF_A_RIG:] if (value := hashrates_hs[work]) is not None]
    return own | {Work(None, OTHER): sum(rest) if rest else None}


def totalled(hashrates_hs: dict[Work, float | None]) -> dict[Work, float | None]:
    """A rig's hashrates by the names that totals use: what its programs spell differently is one work."""
    if all(work.named == work for work in hashrates_hs):
        return hashrates_hs
    sums: dict[Work, float | None] = {}
    for work, hashrate_hs in hashrates_hs.items():
        name = work.named
        before = sums.get(name)
        sums[name] = hashrate_hs if before is None else before + (hashrate_hs or 0)
    return sums


class RigSummary(msgspec.Struct, frozen=True):
    """One rig at one moment. None: no device gave the figure.

    `power_w` adds the devices that report theirs, `temperature_c` is the hottest device and `fan_percent` (`fan_rpm`)
    the fastest fan. `miners` and `gpus` are how many of them a CPU/GPU rig reports, `boards` and `fans` how
    many an ASIC reports.
    """

    hashrates_hs: dict[Work, float | None] = {}
    power_w: float | None = None
    temperature_c: float | None = None
    fan_percent: float | None = None
    fan_rpm: float | None = None
    accepted: int | None = None
    rejected: int | None = None
    uptime_s: int | None = None
    told_rejected_percent: float | None = None
    faults: tuple[Fault, ...] = ()
    miners: int | None = None
    gpus: int | None = None
    boards: int | None = None
    fans: int | None = None
    memory_temperature_c: float | None = None
    mining: Mining = NO_MINING

    @property
    def rejected_percent(self) -> float | None:
        if self.told_rejected_percent is not None:
            return self.told_rejected_percent
        if self.accepted is None or self.rejected is None or not self.accepted + self.rejected:
            return None
        return 100 * self.rejected / (self.accepted + self.rejected)


NO_SUMMARY = RigSummary()


def is_same_but_metrics(first: RigSummary, second: RigSummary) -> bool:
    """Returns whether two summaries differ in numbers only: works, faults and what people search are the same."""
    return (
        first.mining == second.mining
        and (first.faults == second.faults or _words(first) == _words(second))
        and first.miners == second.miners
        and first.gpus == second.gpus
        and first.hashrates_hs.keys() == second.hashrates_hs.keys()
    )


def _words(summary: RigSummary) -> list[str]:
    return [fault.words for fault in summary.faults]
