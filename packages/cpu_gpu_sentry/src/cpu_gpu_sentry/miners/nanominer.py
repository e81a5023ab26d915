"""nanominer: algorithms and devices are objects of one key, their name; hashrates are texts ("4.59e+06") in H/s.

`Pci` is hexadecimal. It tells neither its version nor the account.
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
    mapping,
    mined,
    pci_address,
    reading,
    words,
)

KEYS = words("Algorithms Devices WorkTime")


def parse_nanominer(replies: Sequence[bytes]) -> MinerReading:
    """From `stats`."""
    return checked("nanominer", lambda: _parse(decode(replies[0])))


def _parse(stats: Any) -> MinerReading:
    algorithms = {name: mapping(each) for entry in stats["Algorithms"] for name, each in entry.items()}
    algorithms = {name: algorithms[name] for name in mined(list(algorithms), lambda name: _is_idle(algorithms[name]))}
    cards = {name: mapping(card) for entry in stats["Devices"] for name, card in entry.items()}
    devices = [_device(name, card, list(algorithms.values())) for name, card in cards.items()]
    whole = [_algorithm(name, each) for name, each in algorithms.items()]
    return reading("nanominer", None, count(stats.get("WorkTime")), whole, devices, has_job=bool(algorithms))


def _is_idle(each: dict[str, Any]) -> bool:
    return not set(each) - {"CurrentPool", "Total", "ReconnectionCount"}


def _algorithm(name: str, each: dict[str, Any]) -> AlgorithmReading:
    algorithm, whole = algorithm_or_unknown(name), mapping(each.get("Total"))
    return AlgorithmReading(
        algorithm=algorithm,
        coin=only_coin(algorithm),
        hashrate_hs=number(whole.get("Hashrate")),
        accepted=count(whole.get("Accepted")),
        rejected=count(whole.get("Denied")),
        pool=text(each.get("CurrentPool")),
    )


def _device(name: str, card: dict[str, Any], algorithms: list[dict[str, Any]]) -> MinerDevice:
    its = [mapping(each.get(name)) for each in algorithms]
    return MinerDevice(
        device=pci_address(card.get("Pci"), 16) or name.lower().replace(" ", ""),  # "GPU 0", "CPU"
        hashrates_hs=[number(each.get("Hashrate")) for each in its],
        accepted=total([count(each.get("Accepted")) for each in its if each]),
        rejected=total([count(each.get("Denied")) for each in its if each]),
        temperature_c=temperature(card.get("Temperature")),
        fan_percent=percent(card.get("Fan")),
        power_w=positive(card.get("Power")),
    )
