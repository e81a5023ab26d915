"""The farm's totals, updated with each log.

They are whole numbers of thousandths: adding and subtracting floats a million times would drift.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from commander.readings.summary import OTHER, RigSummary, Work, totalled

WORKS_OF_THE_FARM = 64
OTHERS = Work(None, OTHER)


class WorkTotal(NamedTuple):
    """The farm's total of one work. In “other”, `rigs` counts a rig once for each of its works."""

    work: Work
    hashrate_mhs: int
    rigs: int

    @property
    def hashrate_hs(self) -> float:
        return self.hashrate_mhs / 1000


@dataclass(slots=True)
class Totals:
    """Of the rigs that are online or stale. Thousandths: mW and mH/s."""

    alive: int = 0
    power_mw: int = 0
    power_known: int = 0
    hashrates_mhs: Counter[Work] = field(default_factory=Counter)
    rigs: Counter[Work] = field(default_factory=Counter)
    # The rigs that do one work and report their power: efficiency is computed from them.
    measured: Counter[Work] = field(default_factory=Counter)
    measured_mhs: Counter[Work] = field(default_factory=Counter)
    measured_mw: Counter[Work] = field(default_factory=Counter)

    def change(self, before: RigSummary | None, after: RigSummary | None) -> None:
        """Counts a rig's newest summary instead of the one before. None: the rig is not alive."""
        if before is None or after is None or not self._change_values(before, after):
            if before is not None:
                self.count(before, -1)
            if after is not None:
                self.count(after, +1)

    def _change_values(self, before: RigSummary, after: RigSummary) -> bool:
        """Adds the differences if the rig does one work, as before, and both values are known: the usual log."""
        if len(after.hashrates_hs) != 1 or after.hashrates_hs.keys() != before.hashrates_hs.keys():
            return False
        ((work, hashrate_hs),) = after.hashrates_hs.items()
        hashrate_before_hs, named = before.hashrates_hs[work], work.named
        if hashrate_hs is None or hashrate_before_hs is None or not named.adds_up:
            return False
        if after.power_w is None or before.power_w is None:
            return False
        more_mhs = round(hashrate_hs * 1000) - round(hashrate_before_hs * 1000)
        more_mw = round(after.power_w * 1000) - round(before.power_w * 1000)
        self.power_mw += more_mw
        self.hashrates_mhs[named] += more_mhs
        self.measured_mhs[named] += more_mhs
        self.measured_mw[named] += more_mw
        return True

    def count(self, summary: RigSummary, sign: int) -> None:
        self.alive += sign
        if summary.power_w is not None:
            self.power_mw += sign * round(summary.power_w * 1000)
            self.power_known += sign
        works = totalled(summary.hashrates_hs)
        for work, hashrate_hs in works.items():
            if hashrate_hs is not None and work.adds_up:
                self._count_work(work, sign * round(hashrate_hs * 1000), sign)
                if summary.power_w is not None and len(works) == 1:
                    self._count_measured(work, hashrate_hs, summary.power_w, sign)

    def _count_measured(self, work: Work, hashrate_hs: float, power_w: float, sign: int) -> None:
        self.measured[work] += sign
        self.measured_mhs[work] += sign * round(hashrate_hs * 1000)
        self.measured_mw[work] += sign * round(power_w * 1000)
        if not self.measured[work]:
            del self.measured[work], self.measured_mhs[work], self.measured_mw[work]

    def _count_work(self, work: Work, hashrate_mhs: int, sign: int) -> None:
        self.hashrates_mhs[work] += hashrate_mhs
        self.rigs[work] += sign
        if not self.rigs[work]:
            del self.rigs[work], self.hashrates_mhs[work]

    def largest(self) -> list["WorkTotal"]:
        """Returns the works of most rigs, as many as there is room for, by name; then the rest as “other”."""
        works = [work for work in self.rigs if work != OTHERS]
        if len(works) > WORKS_OF_THE_FARM:
            works.sort(key=lambda work: (self.rigs[work], self.hashrates_mhs[work]), reverse=True)
        named = sorted(works[:WORKS_OF_THE_FARM], key=lambda work: (work.label, work.algorithm))
        totals = [WorkTotal(work, self.hashrates_mhs[work], self.rigs[work]) for work in named]
        rest = [*works[WORKS_OF_THE_FARM:], *(work for work in self.rigs if work == OTHERS)]
        if rest:
            hashrate_mhs, rigs = (sum(count[work] for work in rest) for count in (self.hashrates_mhs, self.rigs))
            totals.append(WorkTotal(OTHERS, hashrate_mhs, rigs))
        return totals

    @property
    def power_w(self) -> float | None:
        return self.power_mw / 1000 if self.power_known else None

    def energy_j(self, work: Work) -> float | None:
        """Returns joules per hash, over the rigs that do this work alone and report their power."""
        return self.measured_mw[work] / self.measured_mhs[work] if self.measured_mhs[work] else None
