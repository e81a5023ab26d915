"""SRBMiner-Multi: a list of algorithms, each with maps by the device's name ("gpu0"). `bus_id` is decimal, H/s.

The current hashrate is `gpu.total` and `cpu.total` together. Older ones (Multi 0.1, SRBMiner 1.x) have one algorithm at
the top level; their list of devices may be shorter than their list of hashrates.
"""

from collections.abc import Sequence
from typing import Any

from protocol.coins import only_coin
from protocol.messages import AlgorithmReading, MinerDevice, MinerReading
from sentry_kit.parsing import count, number, percent, positive, temperature, text, total

from cpu_gpu_sentry.miners.parsing import (
    algorithm_or_unknown,
    at,
    checked,
    decode,
    mapping,
    mined,
    names_a_job,
    pci_of_bus,
    reading,
    words,
)

KEYS = words(
    "rig_name miner_version mining_time total_cpu_workers total_gpu_workers total_workers cpu_devices gpu_devices "
    "algorithms algorithm driver_version gpu_threads cpu_threads total_threads total_devices devices shares pool "
    "hashrate_total_now hashrate_total_1min hashrate_total_5min hashrate_total_30min hashrate_total_max gpu_hashrate "
    "cpu_hashrate cryptonight_type algo_switching"
)


def parse_srbminer(replies: Sequence[bytes]) -> MinerReading:
    """From `/`."""
    return checked("SRBMiner-Multi", lambda: _parse(decode(replies[0])))


def _parse(status: Any) -> MinerReading:
    halves = mined(status["algorithms"] if "algorithms" in status else [_as_algorithm(status)], _is_idle)
    cards = {name: card for card in _cards(status) if (name := (text(card["device"]) or "").lower())}
    names = {name: None for half in halves for name in _rates(half, "gpu") if name != "total"}
    devices = [_device(name, cards.get(name, {}), halves) for name in {**dict.fromkeys(cards), **names}]
    cpu = [_total(_rates(half, "cpu")) for half in halves]
    if any(cpu) or count(status.get("total_cpu_workers")):
        devices.append(MinerDevice(device="cpu", hashrates_hs=cpu))
    algorithms = [_algorithm(half) for half in halves]
    has_job = names_a_job([half.get("name") for half in halves])
    uptime_s = count(status.get("mining_time"))
    return reading("srbminer", status.get("miner_version"), uptime_s, algorithms, devices, has_job=has_job)


def _cards(status: Any) -> list[Any]:
    cards: list[Any] = status.get("gpu_devices") or status.get("devices") or []
    return cards


def _as_algorithm(status: Any) -> dict[str, Any]:
    """The only algorithm of an older answer, in the shape of the newer list's element."""
    named = {text(card["device"]): card.get("hashrate") for card in _cards(status)}
    of_cards = mapping(at(status.get("gpu_hashrate"), 0)) or {name: rate for name, rate in named.items() if name}
    return {
        "name": status.get("algorithm") or status.get("cryptonight_type"),
        "now": status["hashrate_total_now"],
        "pool": status.get("pool"),
        "shares": status.get("shares"),
        "hashrate": {
            "gpu": {name.lower(): rate for name, rate in of_cards.items()},
            "cpu": mapping(at(status.get("cpu_hashrate"), 0)),
        },
    }


def _is_idle(half: Any) -> bool:
    return not _mines(_rates(half, "gpu")) and not _mines(_rates(half, "cpu"))


def _rates(half: Any, kind: str) -> dict[str, Any]:
    return mapping(mapping(half["hashrate"]).get(kind))


def _mines(rates: dict[str, Any]) -> bool:
    """`{"total": 0.0}` alone is a kind of device that does not mine; its 0 tells nothing."""
    return any(device != "total" or number(rate) for device, rate in rates.items())


def _total(rates: dict[str, Any]) -> float | None:
    return number(rates.get("total")) if _mines(rates) else None


def _current(half: Any) -> float | None:
    """Returns the hashrate of cards and CPU together; None if one that mines does not report it."""
    totals = [_total(rates) for rates in (_rates(half, "gpu"), _rates(half, "cpu")) if _mines(rates)]
    return total(totals)


def _algorithm(half: Any) -> AlgorithmReading:
    algorithm = algorithm_or_unknown(half.get("name"))
    pool, shares = mapping(half.get("pool")), mapping(half.get("shares"))
    errors = [count(each) for each in mapping(half.get("gpu_compute_errors")).values()]
    return AlgorithmReading(
        algorithm=algorithm,
        coin=only_coin(algorithm),
        hashrate_hs=number(half["now"]) if "now" in half else _current(half),
        accepted=count(shares.get("accepted")),
        rejected=count(shares.get("rejected")),
        stale=count(shares.get("accepted_stale")),
        invalid=total(errors),
        pool=text(pool.get("pool")),
        user=text(pool.get("wallet")),
    )


def _device(name: str, card: dict[str, Any], halves: list[Any]) -> MinerDevice:
    its = [half for half in halves if name in _rates(half, "gpu")]
    return MinerDevice(
        device=pci_of_bus(card.get("bus_id")) or name,
        hashrates_hs=[number(_rates(half, "gpu").get(name)) for half in halves],
        accepted=total([count(mapping(half.get("gpu_accepted_shares")).get(name)) for half in its]),
        rejected=total([count(mapping(half.get("gpu_rejected_shares")).get(name)) for half in its]),
        temperature_c=temperature(card.get("temperature")),
        memory_temperature_c=temperature(card.get("memory_temperature")),
        fan_percent=percent(card.get("fan_speed_percent")),
        power_w=positive(card.get("asic_power")),
        core_clock_mhz=positive(card.get("core_clock")),
        memory_clock_mhz=positive(card.get("memory_clock")),
    )
