"""GMiner: one answer. `bus_id` is hexadecimal; the total is the sum of the cards.

`speed_unit` is "H/s", "Sol/s" or "G/s" (graphs); before 2.0 it was `speedUnit`, before 1.1 there were neither a unit
nor a version nor an algorithm. `memory_temperature` is 0 on cards that have none. Of two algorithms the second one's
keys end with a 2.
"""

import re
from collections.abc import Sequence
from typing import Any

from protocol.coins import only_coin
from protocol.messages import AlgorithmReading, MinerDevice, MinerReading
from sentry_kit.parsing import count, name, percent, positive, scaled, temperature, text, total

from cpu_gpu_sentry.miners.parsing import (
    algorithm_or_unknown,
    at,
    checked,
    decode,
    mined,
    names_a_job,
    pci_address,
    reading,
    unit_factor,
    unplaced,
    words,
)

_BOTH = re.compile(r"\s+\+\s+")
KEYS = words(
    "miner uptime server user extended_share_info shares_per_minute pool_speed algorithm electricity "
    "total_accepted_shares total_rejected_shares total_stale_shares total_invalid_shares devices "
    "speed_rate_precision speed_unit power_unit speedRatePrecision speedUnit powerUnit "
    "server2 user2 shares_per_minute2 pool_speed2 algorithm2 total_accepted_shares2 total_rejected_shares2 "
    "total_stale_shares2 total_invalid_shares2 speed_rate_precision2 speed_unit2 power_unit2"
)


def parse_gminer(replies: Sequence[bytes]) -> MinerReading:
    """From `stat`."""
    return checked("GMiner", lambda: _parse(decode(replies[0])))


def _parse(stat: Any) -> MinerReading:
    cards = stat["devices"]
    names = _names(stat)
    halves = ["", "2"] if len(names) > 1 or any(card.get("speed2") for card in cards) else [""]
    halves = mined(halves, lambda half: not any(f"speed{half}" in card for card in cards))
    devices = [_device(stat, card, position, halves) for position, card in enumerate(cards)]
    algorithms = [
        _algorithm(stat, half, at(names, 1 if half else 0), _rates(cards, devices, half, place))
        for place, half in enumerate(halves)
    ]
    version = (stat.get("miner") or "").removeprefix("GMiner")
    has_job = names_a_job(names) if "algorithm" in stat else None
    return reading("gminer", version, count(stat.get("uptime")), algorithms, devices, has_job=has_job)


def _names(stat: Any) -> list[object]:
    """Returns the names of one or two algorithms. Some versions name both in one text, "Ethash + TON"."""
    second = name(stat.get("algorithm2"))
    whole = name(stat.get("algorithm"))
    return [whole, second] if second else list(_BOTH.split(whole, maxsplit=1)) if whole else [None]


def _rates(cards: list[Any], devices: list[MinerDevice], half: str, place: int) -> list[float | None]:
    """Returns the hashrates of the cards that work for this algorithm; a card that does not has none there."""
    return [device.hashrates_hs[place] for card, device in zip(cards, devices, strict=True) if f"speed{half}" in card]


def _algorithm(stat: Any, half: str, algorithm_name: object, rates: list[float | None]) -> AlgorithmReading:
    algorithm = algorithm_or_unknown(algorithm_name)
    return AlgorithmReading(
        algorithm=algorithm,
        coin=only_coin(algorithm),
        hashrate_hs=total(rates),
        accepted=_shares(stat, "accepted", half),
        rejected=_shares(stat, "rejected", half),
        stale=_shares(stat, "stale", half),
        invalid=_shares(stat, "invalid", half),
        pool=text(stat.get(f"server{half}")),
        user=text(stat.get(f"user{half}")),
    )


def _shares(stat: Any, kind: str, half: str) -> int | None:
    """The total; old builds have it of each card only."""
    shares = count(stat.get(f"total_{kind}_shares{half}"))
    return (
        shares if shares is not None else total([count(card.get(f"{kind}_shares{half}")) for card in stat["devices"]])
    )


def _factor(stat: Any, half: str) -> float | None:
    unit = stat.get(f"speed_unit{half}") or stat.get(f"speedUnit{half}")
    return unit_factor(unit) if unit else 1.0


def _device(stat: Any, card: Any, position: int, halves: list[str]) -> MinerDevice:
    return MinerDevice(
        device=pci_address(card.get("bus_id"), 16) or unplaced(card.get("gpu_id"), position),
        hashrates_hs=[scaled(card.get(f"speed{half}"), _factor(stat, half)) for half in halves],
        accepted=total([count(card.get(f"accepted_shares{half}")) for half in halves]),
        rejected=total([count(card.get(f"rejected_shares{half}")) for half in halves]),
        temperature_c=temperature(card.get("temperature")),
        memory_temperature_c=temperature(card.get("memory_temperature")),
        fan_percent=percent(card.get("fan")),
        power_w=positive(card.get("power_usage")),
        core_clock_mhz=positive(card.get("core_clock")),
        memory_clock_mhz=positive(card.get("memory_clock")),
    )
