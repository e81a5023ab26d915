"""OneZeroMiner: a list of algorithms whose arrays line up with the devices. H/s; `bus_id` is a decimal number.

`total_invalid_shares` came with 1.8.
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
    lined_up,
    lists_no_device,
    mined,
    names_a_job,
    pci_of_bus,
    reading,
    unplaced,
    words,
)

KEYS = words("version uptime_seconds devices algos")


def parse_onezerominer(replies: Sequence[bytes]) -> MinerReading:
    """From `/`."""
    return checked("OneZeroMiner", lambda: _parse(decode(replies[0])))


def _parse(status: Any) -> MinerReading:
    algorithms = mined(status["algos"], lambda each: lists_no_device(each.get("hashrates"), each.get("total_hashrate")))
    cards = status["devices"]
    devices = [_device(card, position, algorithms, len(cards)) for position, card in enumerate(cards)]
    uptime_s = count(status.get("uptime_seconds"))
    has_job = names_a_job([each.get("name") for each in algorithms])
    whole = [_algorithm(each) for each in algorithms]
    return reading("onezerominer", status.get("version"), uptime_s, whole, devices, has_job=has_job)


def _algorithm(each: Any) -> AlgorithmReading:
    algorithm = algorithm_or_unknown(each.get("name"))
    return AlgorithmReading(
        algorithm=algorithm,
        coin=only_coin(algorithm),
        hashrate_hs=number(each.get("total_hashrate")),
        accepted=count(each.get("total_accepted_shares")),
        rejected=count(each.get("total_rejected_shares")),
        invalid=count(each.get("total_invalid_shares")),
        pool=text(each.get("pool")),
    )


def _device(card: Any, position: int, algorithms: list[Any], cards: int) -> MinerDevice:
    def of_it(figure: str) -> list[Any]:
        return [lined_up(each.get(figure), cards)[position] for each in algorithms]

    return MinerDevice(
        device=pci_of_bus(card.get("bus_id")) or unplaced(card.get("id"), position),
        hashrates_hs=[number(each) for each in of_it("hashrates")],
        accepted=total([count(each) for each in of_it("devices_accepted_shares")]),
        rejected=total([count(each) for each in of_it("devices_rejected_shares")]),
        temperature_c=temperature(card.get("temp")),
        memory_temperature_c=temperature(card.get("mem_temp")),
        fan_percent=percent(card.get("fan")),
        power_w=positive(card.get("power")),
        core_clock_mhz=positive(card.get("cclk")),
        memory_clock_mhz=positive(card.get("mclk")),
    )
