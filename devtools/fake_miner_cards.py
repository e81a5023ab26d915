"""The cards that a stand-in for a mining software pretends to have: figures that follow from the wall time alone."""

import math
from dataclasses import dataclass

POOL, ACCOUNT = "pool.example:443", "stand-in-wallet.rig"


def wave(now: float, device: int, period_s: float = 90) -> float:
    """Between -1 and 1, different for each device."""
    return math.sin(2 * math.pi * (now / period_s + device * 0.37))


@dataclass(frozen=True, slots=True)
class Card:
    index: int
    rate_hs: int
    accepted: int
    rejected: int
    temperature_c: int
    fan_percent: int
    power_w: float

    @property
    def bus(self) -> int:
        return self.index + 1


def cards(devices: int, up_s: float, now: float) -> list[Card]:
    return [_card(index, up_s, now) for index in range(devices)]


def _card(index: int, up_s: float, now: float) -> Card:
    heat = wave(now - 20, index)
    return Card(
        index=index,
        rate_hs=round(61.5e6 + 0.9e6 * wave(now, index)),
        accepted=int(up_s // 20) + index,
        rejected=int(up_s // 1800),
        temperature_c=round(58 + 3 * heat),
        fan_percent=round(64 + 5 * heat),
        power_w=round(118 + 4 * wave(now, index), 1),
    )
