"""bzminer: one answer, H/s; `pci_bus_id` is a decimal number. Dual mining and ZIL are further pools.

A device's arrays have an element for each pool that it works for, whose positions stand in `pool`; where that is
missing, the arrays line up with `pools`.
"""

from collections.abc import Sequence
from typing import Any

from protocol.coins import only_coin
from protocol.messages import AlgorithmReading, MinerDevice, MinerReading
from sentry_kit.parsing import count, number, percent, positive, temperature, text, total

from cpu_gpu_sentry.miners.parsing import (
    algorithm_or_unknown,
    checked,
    decode,
    known_sum,
    lined_up,
    mined,
    names_a_job,
    pci_of_bus,
    reading,
    unplaced,
    words,
)

KEYS = words("bzminer_version rig_name uptime_s pools devices")


def parse_bzminer(replies: Sequence[bytes]) -> MinerReading:
    """From `status`."""
    return checked("bzminer", lambda: _parse(decode(replies[0])))


def _parse(status: Any) -> MinerReading:
    pools, cards = status["pools"], status["devices"]
    places = _worked_for(cards, len(pools))
    devices = [_device(card, position, places, len(pools)) for position, card in enumerate(cards)]
    algorithms = [
        _algorithm(pools[place], place, [card for card in cards if place in _places(card, len(pools))], len(pools))
        for place in places
    ]
    version = (status.get("bzminer_version") or "").removeprefix("v")
    has_job = names_a_job([pools[place].get("algorithm") for place in places])
    return reading("bzminer", version, count(status.get("uptime_s")), algorithms, devices, has_job=has_job)


def _worked_for(cards: list[Any], pools: int) -> list[int]:
    """Returns the indexes of the pools that cards work for; all pools if no card names one."""
    named = {place for card in cards for place in _places(card, 0)}
    return mined(range(pools), lambda place: place not in named)


def _algorithm(pool: Any, position: int, cards: list[Any], pools: int) -> AlgorithmReading:
    """Returns the work for a pool. `cards` are those that work for it."""
    algorithm = algorithm_or_unknown(pool.get("algorithm"))
    return AlgorithmReading(
        algorithm=algorithm,
        coin=only_coin(algorithm),
        hashrate_hs=total([number(_of(card, "hashrate", position, pools)) for card in cards]),
        accepted=_solutions("valid", pool, position, cards, pools),
        rejected=_solutions("rejected", pool, position, cards, pools),
        stale=_solutions("stale", pool, position, cards, pools),
        invalid=_solutions("invalid", pool, position, cards, pools),
        pool=text(pool.get("current_url")),
    )


def _solutions(kind: str, pool: Any, position: int, cards: list[Any], pools: int) -> int | None:
    """Returns the pool's own count; else the sum of the cards that report one."""
    of_pool = count(pool.get(f"{kind}_solutions"))
    of_cards = [_of(card, f"{kind}_solutions", position, pools) for card in cards]
    return count(known_sum([number(each) for each in of_cards])) if of_pool is None else of_pool


def _places(card: Any, pools: int) -> list[int | None]:
    """Returns the indexes of the pools that a card works for; all of them if it does not say."""
    places = card.get("pool")
    return list(range(pools)) if places is None else [count(place) for place in places]


def _of(card: Any, array: str, pool: int, pools: int) -> object:
    places = _places(card, pools)
    return lined_up(card.get(array), len(places))[places.index(pool)] if pool in places else None


def _device(card: Any, position: int, places: list[int], pools: int) -> MinerDevice:
    return MinerDevice(
        device=pci_of_bus(card.get("pci_bus_id")) or unplaced(None, position),
        hashrates_hs=[number(_of(card, "hashrate", place, pools)) for place in places],
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
