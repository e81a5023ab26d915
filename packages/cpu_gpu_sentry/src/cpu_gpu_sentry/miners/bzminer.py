"""bzminer: one answer, H/s; `pci_bus_id` is a decimal number. Dual mining and ZIL are further pools.

A device's arrays have an element for each pool that it works for, whose positions stand in `pool`; where that is
missing, the arrays line up with `pools`.
"""

from collections.abc import Sequence
from typing import Any

from protocol.messages import AlgorithmReading, MinerDevice, MinerReading

from cpu_gpu_sentry.miners.answers import (
    algorithm_name,
    at,
    checked,
    count,
    decode,
    known_sum,
    number,
    pci_of_bus,
    percent,
    positive,
    reading,
    temperature,
    text,
    total,
    unplaced,
    words,
)
from cpu_gpu_sentry.miners.coins import coin_of

KEYS = words("bzminer_version rig_name uptime_s pools devices")


def parse_bzminer(replies: Sequence[bytes]) -> MinerReading:
    """From `status`."""
    return checked("bzminer", lambda: _parse(decode(replies[0])))


def _parse(status: Any) -> MinerReading:
    pools, cards = status["pools"], status["devices"]
    devices = [_device(card, position, len(pools)) for position, card in enumerate(cards)]
    algorithms = [_algorithm(pool, position, cards, devices) for position, pool in enumerate(pools)]
    version = (status.get("bzminer_version") or "").removeprefix("v")
    return reading("bzminer", version, count(status.get("uptime_s")), algorithms, devices)


def _algorithm(pool: Any, position: int, cards: list[Any], devices: list[MinerDevice]) -> AlgorithmReading:
    algorithm = algorithm_name(pool["algorithm"])
    return AlgorithmReading(
        algorithm=algorithm,
        coin=coin_of(algorithm),
        hashrate_hs=known_sum([device.hashrates_hs[position] for device in devices]),
        accepted=_solutions("valid", pool, position, cards),
        rejected=_solutions("rejected", pool, position, cards),
        stale=_solutions("stale", pool, position, cards),
        invalid=_solutions("invalid", pool, position, cards),
        pool=text(pool.get("current_url")),
    )


def _solutions(kind: str, pool: Any, position: int, cards: list[Any]) -> int | None:
    """The pool's own count; else what the devices tell, of which those without any leave the count out."""
    told, of_cards = count(pool.get(f"{kind}_solutions")), [_of(card, f"{kind}_solutions", position) for card in cards]
    return count(known_sum([number(each) for each in of_cards])) if told is None else told


def _of(card: Any, array: str, pool: int) -> object:
    pools = card.get("pool")
    position = pool if pools is None else pools.index(pool) if pool in pools else len(pools)
    return at(card.get(array), position)


def _device(card: Any, position: int, pools: int) -> MinerDevice:
    return MinerDevice(
        device=pci_of_bus(card.get("pci_bus_id")) or unplaced(None, position),
        hashrates_hs=[number(_of(card, "hashrate", pool)) for pool in range(pools)],
        accepted=_together(card.get("valid_solutions")),
        rejected=_together(card.get("rejected_solutions")),
        temperature_c=temperature(card.get("core_temp")),
        memory_temperature_c=temperature(card.get("mem_temp")),
        fan_percent=percent(card.get("fan")),
        power_w=positive(card.get("power")),
        core_clock_mhz=positive(card.get("clock_rate")),
        memory_clock_mhz=positive(card.get("memory_rate")),
    )


def _together(counts: Any) -> int | None:
    return total([count(each) for each in counts or []])
