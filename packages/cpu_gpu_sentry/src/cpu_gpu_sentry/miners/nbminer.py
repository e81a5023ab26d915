"""NBMiner: one answer; `*_raw` are H/s, the second algorithm's keys have a 2. `pci_bus_id` is a decimal number.

`memTemperature` is -1 where a card has none; `start_time` is an epoch. `stratum.algorithm` is "hns_ethash" when dual.
Version 10 had neither it nor addresses, and reported some cards' hashrate only rounded.
"""

from collections.abc import Sequence
from typing import Any

from protocol.coins import only_coin
from protocol.messages import UNKNOWN_ALGORITHM, AlgorithmReading, MinerDevice, MinerReading
from sentry_kit.parsing import count, name, number, percent, positive, temperature, text, total

from cpu_gpu_sentry.miners.parsing import (
    checked,
    decode,
    mined,
    names_a_job,
    pci_of_bus,
    reading,
    seconds_since,
    unplaced,
    with_prefix,
)

KEYS = frozenset({"miner", "reboot_times", "start_time", "stratum", "version"})


def parse_nbminer(replies: Sequence[bytes]) -> MinerReading:
    """From `status`."""
    return checked("NBMiner", lambda: _parse(decode(replies[0])))


def _parse(status: Any) -> MinerReading:
    miner, stratum = status["miner"], status["stratum"]
    halves = ["", "2"] if stratum.get("dual_mine") is True or number(miner.get("total_hashrate2_raw")) else [""]
    names = dict(zip(halves, _names(stratum.get("algorithm"), len(halves)), strict=True))
    halves = mined(halves, lambda half: _is_idle(miner, f"hashrate{half}"))
    algorithms = [_algorithm(miner, stratum, half, names[half]) for half in halves]
    devices = [_device(card, position, halves) for position, card in enumerate(miner["devices"])]
    version = (name(status.get("version")) or "").removeprefix("v")
    has_job = names_a_job([stratum["algorithm"]]) if "algorithm" in stratum else None
    uptime_s = seconds_since(status.get("start_time"))
    return reading("nbminer", version, uptime_s, algorithms, devices, has_job=has_job)


def _is_idle(miner: Any, key: str) -> bool:
    is_told = any(key in card or f"{key}_raw" in card for card in miner["devices"])
    return not is_told and not _rate(miner, f"total_{key}")


def _names(algorithms: object, algorithm_count: int) -> list[str]:
    """One name for each algorithm; a name that can't be divided as there are algorithms is the first one's."""
    whole = name(algorithms) or UNKNOWN_ALGORITHM
    parts = whole.split("_") if algorithm_count > 1 else [whole]
    return (
        parts if len(parts) == algorithm_count and all(parts) else [whole] + [UNKNOWN_ALGORITHM] * (algorithm_count - 1)
    )


def _algorithm(miner: Any, stratum: Any, half: str, algorithm: str) -> AlgorithmReading:
    return AlgorithmReading(
        algorithm=algorithm,
        coin=only_coin(algorithm),
        hashrate_hs=_rate(miner, f"total_hashrate{half}"),
        accepted=count(stratum.get(f"accepted_shares{half}")),
        rejected=count(stratum.get(f"rejected_shares{half}")),
        invalid=count(stratum.get(f"invalid_shares{half}")),
        pool=text(stratum.get(f"url{half}")),
        user=text(stratum.get(f"user{half}")),
    )


def _rate(entry: Any, key: str) -> float | None:
    raw = number(entry.get(f"{key}_raw"))
    return with_prefix(entry.get(key)) if raw is None else raw


def _device(card: Any, position: int, halves: list[str]) -> MinerDevice:
    return MinerDevice(
        device=pci_of_bus(card.get("pci_bus_id")) or unplaced(card.get("id"), position),
        hashrates_hs=[_rate(card, f"hashrate{half}") for half in halves],
        accepted=total([count(card.get(f"accepted_shares{half}")) for half in halves]),
        rejected=total([count(card.get(f"rejected_shares{half}")) for half in halves]),
        temperature_c=temperature(card.get("temperature")),
        memory_temperature_c=temperature(card.get("memTemperature")),
        fan_percent=percent(card.get("fan")),
        power_w=positive(card.get("power")),
        core_clock_mhz=positive(card.get("core_clock")),
        memory_clock_mhz=positive(card.get("mem_clock")),
    )
