"""Figures of rigs that never were, per minute or ten minutes: as `simulated_rig` has them, without a log for each.

They follow the hall's day, swing a little, jump when a rig has trouble and are missing while it is off.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from commander.history.buckets import Counter
from commander.history.resolution import rounded_all
from commander.history.summing import Summed, Sums
from commander.readings.series import Series
from simulated_hardware import CPUS, GPUS, XMRIG, address
from simulated_rig import hall_c

EVERY_S = 10
OFF_CHANCE = 1 / 200  # that a rig is off for some of an hour


class Figure(NamedTuple):
    """One series around `level`: noise of one reading, and how much it follows the hall's temperature."""

    series: Series
    level: float
    noise: float
    warmth: float = 0.0


@dataclass
class SeededRig:
    """`figures` go into gauges, `share_every_s` is how often one of the counters' shares is found."""

    figures: list[Figure]
    counters: list[tuple[Series, float]]
    chance: random.Random

    def stretch(self, start_s: int, *, step_s: int, count: int) -> Summed:
        """`count` steps from `start_s`, at most an hour of minutes or a day of ten minutes."""
        where = [place for place in range(count) if not self._off(start_s + place * step_s)]
        readings, minutes = step_s // EVERY_S, step_s // 60
        sums = Summed(start_s, step_s, where, [readings] * len(where), [minutes] * len(where))
        if not where:
            return sums
        warm_c = [hall_c(start_s + place * step_s) - 24 for place in where]
        for figure in self.figures:
            sums.gauges[figure.series] = self._sums(figure, where, readings, warm_c)
        for series, every_s in self.counters:
            sums.counters[series] = _counted(start_s, where, step_s, every_s)
        return sums

    def _off(self, at_s: int) -> bool:
        hour = random.Random(hash((self.figures[0].level, at_s // 3600)))
        return hour.random() < OFF_CHANCE and at_s % 3600 < hour.uniform(120, 3600)

    def _sums(self, figure: Figure, where: list[int], readings: int, warm_c: list[float]) -> Sums:
        gauss, spread = self.chance.gauss, figure.noise
        means = [gauss(figure.level + figure.warmth * warm, spread / readings**0.5) for warm in warm_c]
        low = [mean - abs(gauss(1.3, 0.4)) * spread for mean in means]
        high = [mean + abs(gauss(1.3, 0.4)) * spread for mean in means]
        last = [mean + max(-1.0, min(1.0, gauss(0, 0.6))) * spread for mean in means]
        kept = [rounded_all(figure.series[0], column) for column in (low, means, high, last)]
        total = [mean * readings for mean in kept[1]]
        return Sums(where, [readings] * len(where), low=kept[0], total=total, high=kept[2], last=kept[3])


def _counted(start_s: int, where: list[int], step_s: int, every_s: float) -> Counter:
    def count(at_s: float) -> int:
        return int(at_s % (20 * 86_400) / every_s)  # starts anew every twenty days

    first = [count(start_s + place * step_s) for place in where]
    last = [count(start_s + place * step_s + step_s - EVERY_S) for place in where]
    grown = [after - before if after >= before else after for before, after in zip(first, last, strict=True)]
    return Counter(where, first, grown, last)


def seeded_gpu_rig(number: int, *, cards: int | None = None) -> SeededRig:
    """Returns a rig with `cards` cards, usually eight. On every third rig the CPU mines too."""
    chance = random.Random(f"seed-{number}")
    cards = chance.choice((4, 6, 8)) if cards is None else cards
    gpu, cpu = chance.choice(GPUS), chance.choice(CPUS)
    work = chance.choice(gpu.works)
    figures = [Figure(("power_w", None, None, None), cards * work.power_w + 70 + number / 100, 3.0 * cards**0.5, 0.5)]
    for slot in range(cards):
        figures += _card(address(slot), gpu.core_mhz, gpu.memory_mhz, work.power_w, 52 + slot % 4 * 2.5)
        figures.append(
            Figure(_rate(address(slot), work.algorithm, work.coin), work.hashrate_hs, work.hashrate_hs / 400)
        )
    figures.append(Figure(_rate(None, work.algorithm, work.coin), cards * work.hashrate_hs, work.hashrate_hs / 150))
    figures += [
        Figure(("temperature_c", None, None, None), 60, 0.5, 0.8),
        Figure(("fan_percent", None, None, None), 62, 1.0, 1.5),
        Figure(("temperature_c", "cpu", None, None), 55, 0.7, 0.6),
        Figure(("load_percent", "cpu", None, None), 12, 2.0),
        Figure(("memory_used_bytes", None, None, None), 4.2e9, 3e7),
    ]
    counters: list[tuple[Series, float]] = [(("accepted", "*lolminer", work.algorithm, work.coin), 15 / cards)]
    counters.append((("rejected", "*lolminer", work.algorithm, work.coin), 2500 / cards))
    if number % 3 == 0:
        figures += [Figure(_rate(device, XMRIG.algorithm, XMRIG.coin), cpu.hashrate_hs, 40) for device in (None, "cpu")]
        counters.append((("accepted", "*xmrig", XMRIG.algorithm, XMRIG.coin), 30))
    return SeededRig(figures, counters, chance)


def _rate(device: str | None, algorithm: str, coin: str) -> Series:
    return "hashrate_hs", device, algorithm, coin


def _card(device: str, core_mhz: float, memory_mhz: float, power_w: float, warm_c: float) -> Iterator[Figure]:
    yield Figure(("temperature_c", device, None, None), warm_c, 0.4, 0.8)
    yield Figure(("memory_temperature_c", device, None, None), warm_c + 20, 0.6, 0.8)
    yield Figure(("fan_percent", device, None, None), 55 + warm_c % 7, 0.6, 1.5)
    yield Figure(("power_w", device, None, None), power_w, 1.5)
    yield Figure(("core_clock_mhz", device, None, None), core_mhz, 6.0)
    yield Figure(("memory_clock_mhz", device, None, None), memory_mhz, 0.0)


def seeded_asic(number: int) -> SeededRig:
    """With three boards and four fans."""
    chance = random.Random(f"seed-asic-{number}")
    rate_hs = chance.choice((95e12, 110e12, 140e12))
    work = ("SHA-256", "Bitcoin")
    figures = [
        Figure(("power_w", None, None, None), 3_250 + number / 100, 12),
        Figure(("temperature_c", None, None, None), 74, 0.6, 0.8),
        Figure(_rate(None, *work), rate_hs, rate_hs / 120),
        Figure(("fan_rpm", None, None, None), 5_900, 40, 20),
    ]
    figures += [Figure(("fan_rpm", f"fan{fan}", None, None), 5_850, 40, 20) for fan in range(1, 5)]
    for board in range(1, 4):
        figures.append(Figure(_rate(f"board{board}", *work), rate_hs / 3, rate_hs / 250))
        figures.append(Figure(("inlet_temperature_c", f"board{board}", None, None), 58, 0.5, 0.8))
        figures.append(Figure(("outlet_temperature_c", f"board{board}", None, None), 72, 0.5, 0.8))
    counters: list[tuple[Series, float]] = [(("accepted", "*0", *work), 4.0), (("rejected", "*0", *work), 900.0)]
    return SeededRig(figures, counters, chance)
