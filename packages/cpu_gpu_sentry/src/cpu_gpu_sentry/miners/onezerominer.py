"""OneZeroMiner: a list of algorithms whose arrays line up with the devices. H/s; `bus_id` is a decimal number.

`total_invalid_shares` came with 1.8.
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

KEYS = words("version uptime_seconds devices algos")


def parse_onezerominer(replies: Sequence[bytes]) -> MinerReading:
    """From `/`."""
    return checked("OneZeroMiner", lambda: _parse(decode(replies[0])))


def _parse(status: Any) -> MinerReading:
    algorithms = status["algos"]
    devices = [_device(card, position, algorithms) for position, card in enumerate(status["devices"])]
    uptime_s = count(status.get("uptime_seconds"))
    return reading("onezerominer", status.get("version"), uptime_s, [_algorithm(each) for each in algorithms], devices)


def _algorithm(each: Any) -> AlgorithmReading:
    algorithm = algorithm_name(each["name"])
    return AlgorithmReading(
        algorithm=algorithm,
        coin=coin_of(algorithm),
        hashrate_hs=number(each.get("total_hashrate")),
        accepted=count(each.get("total_accepted_shares")),
        rejected=count(each.get("total_rejected_shares")),
        invalid=count(each.get("total_invalid_shares")),
        pool=text(each.get("pool")),
    )


def _device(card: Any, position: int, algorithms: list[Any]) -> MinerDevice:
    return MinerDevice(
        device=pci_of_bus(card.get("bus_id")) or unplaced(card.get("id"), position),
        hashrates_hs=[number(at(each.get("hashrates"), position)) for each in algorithms],
        accepted=total([count(at(each.get("devices_accepted_shares"), position)) for each in algorithms]),
        rejected=total([count(at(each.get("devices_rejected_shares"), position)) for each in algorithms]),
        temperature_c=temperature(card.get("temp")),
        memory_temperature_c=temperature(card.get("mem_temp")),
        fan_percent=percent(card.get("fan")),
        power_w=positive(card.get("power")),
        core_clock_mhz=positive(card.get("cclk")),
        memory_clock_mhz=positive(card.get("mclk")),
    )
