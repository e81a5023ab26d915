"""The farm's totals, updated with each log.

They are whole numbers of thousandths: adding and subtracting floats a million times would drift.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from commander.readings.summary import OTHER, RigSummary, Work, totalled

WORKS_OF_THE_FARM = 64
OTHERS = Work(None, OTHER)


def is_only_one_known(first: float | None, second: float | None) -> bool:
    return (first is None) is not (second is None)


def thousandths(value: float | None) -> int:
    """Returns mW for W and mH/s for H/s; 0 for an unknown value, which adds nothing."""
    return 0 if value is None else round(value * 1000)


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
        """Adds the differences. Returns False if the rig does other works than before, or other values are known."""
        if after.hashrates_hs.keys() != before.hashrates_hs.keys() or is_only_one_known(after.power_w, before.power_w):
            return False
        more_mhs: dict[Work, int] = {}
        for work, hashrate_hs in after.hashrates_hs.items():
            hashrate_before_hs, name = before.hashrates_hs[work], work.named
            if is_only_one_known(hashrate_hs, hashrate_before_hs) or name in more_mhs:
                return False
            more_mhs[name] = thousandths(hashrate_hs) - thousandths(hashrate_before_hs)
        more_mw = thousandths(after.power_w) - thousandths(before.power_w)
        self.power_mw += more_mw
        for name, more in more_mhs.items():
            if name in self.rigs:
                self.hashrates_mhs[name] += more
        if len(more_mhs) == 1 and after.power_w is not None and None not in after.hashrates_hs.values():
            ((name, more),) = more_mhs.items()
            if name in self.measured:
                self.measured_mhs[name] += more
                self.measured_mw[name] += more_mw
        return True

    def count(self, summary: RigSummary, sign: int) -> None:
        self.alive += sign
        if summary.power_w is not None:
            self.power_mw += sign * thousandths(summary.power_w)
            self.power_known += sign
        works = totalled(summary.hashrates_hs)
        for work, hashrate_hs in works.items():
            if hashrate_hs is not None and work.adds_up:
                self._count_work(work, sign * thousandths(hashrate_hs), sign)
                if summary.power_w is not None and len(works) == 1:
                    self._count_measured(work, hashrate_hs, summary.power_w, sign)

    def _count_measured(self, work: Work, hashrate_hs: float, power_w: float, sign: int) -> None:
        self.measured[work] += sign
        self.measured_mhs[work] += sign * thousandths(hashrate_hs)
        self.measured_mw[work] += sign * thousandths(power_w)
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
