"""Rigs that do not exist: what they are made of, and figures that move together as on a real farm.

Power follows the load, heat follows power and the hall's temperature over the day, fans follow heat, shares
follow the hashrate. Everything comes from a seed and the time, so that two runs agree.
"""

import math
import random
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from protocol.messages import (
    AlgorithmReading,
    CpuGpuLog,
    CpuGpuSpecs,
    CpuReading,
    GpuReading,
    MinerDevice,
    MinerReading,
    MinerState,
)
from simulated_hardware import CPUS, GIB, GPUS, POOLS, XMRIG, Cpu, Gpu, Work, address, specs_of

DAY_S = 86_400
SHARE_EVERY_S = 15


class Trouble(NamedTuple):
    """A fault: the rig sends nothing at all, or its miner stalls. It lasts until `until_s`."""

    silent: bool
    until_s: float


@dataclass(slots=True)
class _Shares:
    accepted: int = 0
    rejected: int = 0
    part: float = 0.0

    def grow(self, shares: float, chance: random.Random) -> None:
        self.part += shares
        whole = int(self.part)
        self.part -= whole
        for _ in range(whole):
            if chance.random() < 0.006:
                self.rejected += 1
            else:
                self.accepted += 1


@dataclass(slots=True)
class _Warmth:
    """A device's temperature follows its target in about a minute."""

    temperature_c: float = 35.0

    def follow(self, target_c: float, dt_s: float) -> float:
        self.temperature_c += (target_c - self.temperature_c) * (1 - math.exp(-dt_s / 60))
        return self.temperature_c


@dataclass(slots=True)
class SimulatedRig:
    """One rig. `log` is called with rising times; `trouble_chance` is per log."""

    number: int
    gpu: Gpu | None
    work: Work | None
    cards: int
    cpu: Cpu
    cpu_mines: bool
    chance: random.Random
    trouble_chance: float = 0.0
    trouble: Trouble | None = None
    _shares: _Shares = field(default_factory=_Shares)
    _cpu_shares: _Shares = field(default_factory=_Shares)
    _warmth: list[_Warmth] = field(default_factory=list)
    _started_s: float = 0.0
    _last_s: float = 0.0

    def specs(self) -> CpuGpuSpecs:
        return specs_of(f"simulated-{self.number:03d}", self.cpu, self.gpu, self.cards)

    def log(self, now: datetime) -> CpuGpuLog | None:
        """Returns the log that its sentry would make at `now`; None while the rig is silent."""
        now_s = now.timestamp()
        if not self._started_s:
            self._begin(now_s)
        if (trouble := self._trouble_at(now_s)) and trouble.silent:
            return None
        dt_s, self._last_s = min(600.0, now_s - self._last_s), now_s
        works = trouble is None
        gpus = [self._gpu_reading(slot, now_s, dt_s, works) for slot in range(self.cards)]
        return CpuGpuLog(
            taken_at=now,
            uptime_s=int(now_s - self._started_s) + 40,
            lan_ip=f"10.{100 + self.number // 65_536}.{self.number // 256 % 256}.{self.number % 256}",
            cpu=self._cpu_reading(now_s, dt_s),
            memory_used_bytes=int((4.2 + 0.2 * wave(now_s, self.number, 900)) * GIB),
            gpus=gpus,
            miners=self._miners(now_s, dt_s, works),
        )

    def _begin(self, now_s: float) -> None:
        self._started_s = now_s - self.chance.uniform(600, 20 * DAY_S)
        self._last_s = now_s - 600
        self._warmth = [_Warmth() for _ in range(self.cards + 1)]

    def _trouble_at(self, now_s: float) -> Trouble | None:
        if self.trouble and now_s >= self.trouble.until_s:
            self.trouble = None
        if self.trouble is None and self.chance.random() < self.trouble_chance:
            self.trouble = Trouble(self.chance.random() < 0.5, now_s + self.chance.uniform(70, 300))
        return self.trouble

    def _load(self, slot: int, now_s: float) -> float:
        """Around 1: a slow swing and a fast one, different for each device."""
        place = self.number * 7.3 + slot
        return 1 + 0.012 * wave(now_s, place, 420) + 0.006 * wave(now_s, place * 3.1, 37)

    def _gpu_reading(self, slot: int, now_s: float, dt_s: float, works: bool) -> GpuReading:
        gpu, work = self.gpu, self.work
        assert gpu is not None  # noqa: S101 - a rig with cards has a model
        assert work is not None  # noqa: S101
        power_w = work.power_w * self._load(slot, now_s) if works else 28 + slot % 3
        unhurried_c = hall_c(now_s) + 2.5 * (slot % 4) + 0.09 * power_w + 14
        fan = min(100.0, max(30.0, 42 + 2.4 * (unhurried_c - 52)))
        temperature_c = self._warmth[slot].follow(unhurried_c - 0.11 * (fan - 42), dt_s)
        return GpuReading(
            pci_address=address(slot),
            temperature_c=float(round(temperature_c)),
            memory_temperature_c=float(round(temperature_c + 17 + 0.02 * power_w)) if gpu.memory_gib > 8 else None,
            fan_percent=float(round(fan)),
            power_w=round(power_w, 1),
            core_clock_mhz=gpu.core_mhz if works else 210.0,
            memory_clock_mhz=gpu.memory_mhz if works else 405.0,
        )

    def _cpu_reading(self, now_s: float, dt_s: float) -> CpuReading:
        share = 0.99 if self.cpu_mines else 0.06
        power_w = self.cpu.power_w * (0.18 + 0.82 * share * self._load(99, now_s))
        temperature_c = self._warmth[-1].follow(hall_c(now_s) + 8 + 0.22 * power_w, dt_s)
        return CpuReading(
            temperature_c=round(temperature_c, 1),
            power_w=round(power_w, 1) if self.number % 2 else None,  # half of the boards do not tell
            load_percent=round(100 * share * min(1, self._load(99, now_s)), 1),
        )

    def _miners(self, now_s: float, dt_s: float, works: bool) -> list[MinerReading]:
        miners = []
        if self.work is not None:
            self._shares.grow(dt_s / SHARE_EVERY_S * self.cards if works else 0, self.chance)
            miners.append(self._gpu_miner(self.work, now_s, works))
        if self.cpu_mines:
            self._cpu_shares.grow(dt_s / SHARE_EVERY_S / 2, self.chance)
            miners.append(self._cpu_miner(now_s))
        return miners

    def _gpu_miner(self, work: Work, now_s: float, works: bool) -> MinerReading:
        rates = [[round(work.hashrate_hs * self._load(slot, now_s) * works, 1)] for slot in range(self.cards)]
        algorithms = [self._algorithm(work.algorithm, work.coin, sum(rate[0] for rate in rates), self._shares)]
        if work.second:
            algorithm, coin, hashrate_hs = work.second
            for slot, rate in enumerate(rates):
                rate.append(round(hashrate_hs * self._load(slot + 50, now_s) * works, 1))
            algorithms.append(self._algorithm(algorithm, coin, sum(rate[1] for rate in rates), self._shares))
        return MinerReading(
            software=work.software,
            version=work.version,
            state=MinerState.MINING if works else MinerState.STALLED,
            uptime_s=int(now_s - self._started_s),
            algorithms=algorithms,
            devices=[MinerDevice(device=address(slot), hashrates_hs=[*rate]) for slot, rate in enumerate(rates)],
        )

    def _cpu_miner(self, now_s: float) -> MinerReading:
        hashrate_hs = round(self.cpu.hashrate_hs * self._load(98, now_s), 1)
        return MinerReading(
            software=XMRIG.software,
            version=XMRIG.version,
            state=MinerState.MINING,
            uptime_s=int(now_s - self._started_s),
            algorithms=[self._algorithm(XMRIG.algorithm, XMRIG.coin, hashrate_hs, self._cpu_shares)],
            devices=[MinerDevice(device="cpu", hashrates_hs=[hashrate_hs])],
        )

    def _algorithm(self, algorithm: str, coin: str, hashrate_hs: float, shares: _Shares) -> AlgorithmReading:
        return AlgorithmReading(
            algorithm=algorithm,
            coin=coin,
            hashrate_hs=round(hashrate_hs, 1),
            accepted=shares.accepted,
            rejected=shares.rejected,
            pool=POOLS.get(coin, "pool.example:5555"),
            user=f"simulated-wallet.{self.number:03d}",
        )


def simulated_rig(number: int, *, seed: int, cards: int | None = None, trouble_chance: float = 0.0) -> SimulatedRig:
    """Rig `number` of a farm. Without `cards` a third mines with its CPU alone; the others have 4 to 8."""
    chance = random.Random(f"{seed}-{number}")
    if cards is None:
        cards = 0 if chance.random() < 0.3 else chance.choice((4, 6, 6, 8))
    gpu = chance.choice(GPUS) if cards else None
    return SimulatedRig(
        number=number,
        gpu=gpu,
        work=chance.choice(gpu.works) if gpu else None,
        cards=cards,
        cpu=chance.choice(CPUS),
        cpu_mines=not cards or chance.random() < 0.2,
        chance=chance,
        trouble_chance=trouble_chance,
    )


def wave(now_s: float, place: float, period_s: float) -> float:
    """Between -1 and 1; `place` shifts it."""
    return math.sin(math.tau * (now_s / period_s + place * 0.37))


def hall_c(now_s: float) -> float:
    """The hall over the day: coolest at three at night, warmest at three in the afternoon (UTC)."""
    return 24 + 5 * math.sin(math.tau * (now_s / DAY_S - 9 / 24))
