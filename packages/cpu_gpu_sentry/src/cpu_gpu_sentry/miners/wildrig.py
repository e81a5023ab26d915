"""WildRig-Multi: xmrig's first API in one answer, H/s; `hashrate.threads` has one entry per card.

A window that is not yet filled is 0.0 here, but the first one, [0], is the present. Newer versions have `hwmon`, whose
arrays line up with the cards; its `busID` is decimal.
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
    mapping,
    number,
    pci_of_bus,
    percent,
    positive,
    reading,
    temperature,
    text,
    unplaced,
    words,
)
from cpu_gpu_sentry.miners.coins import coin_of

KEYS = words("id worker_id version kind ua cpu algo donate_level uptime hashrate results connection hwmon")


def parse_wildrig(replies: Sequence[bytes]) -> MinerReading:
    """From `/`."""
    return checked("WildRig", lambda: _parse(decode(replies[0])))


def _parse(status: Any) -> MinerReading:
    results, hwmon = mapping(status.get("results")), mapping(status.get("hwmon"))
    cards = mapping(status["hashrate"]).get("threads") or []
    devices = [_device(windows, position, results, hwmon) for position, windows in enumerate(cards)]
    return reading("wildrig", status.get("version"), count(status.get("uptime")), [_algorithm(status)], devices)


def _algorithm(status: Any) -> AlgorithmReading:
    results, connection = mapping(status.get("results")), mapping(status.get("connection"))
    algorithm = algorithm_name(status["algo"])
    good, every = count(results.get("shares_good")), count(results.get("shares_total"))
    return AlgorithmReading(
        algorithm=algorithm,
        coin=coin_of(algorithm),
        hashrate_hs=number(at(status["hashrate"]["total"], 0)),
        accepted=good,
        rejected=None if good is None or every is None or every < good else every - good,
        pool=text(connection.get("pool")),
        user=text(connection.get("user")),
    )


def _device(windows: Any, position: int, results: dict[str, Any], hwmon: dict[str, Any]) -> MinerDevice:
    return MinerDevice(
        device=pci_of_bus(at(hwmon.get("busID"), position)) or unplaced(None, position),
        hashrates_hs=[number(at(windows, 0))],
        accepted=count(at(results.get("shares_accepted"), position)),
        rejected=count(at(results.get("shares_rejected"), position)),
        temperature_c=temperature(at(hwmon.get("temp"), position)),
        fan_percent=percent(at(hwmon.get("fan"), position)),
        power_w=positive(at(hwmon.get("power"), position)),
        core_clock_mhz=positive(at(hwmon.get("cclk"), position)),
        memory_clock_mhz=positive(at(hwmon.get("mclk"), position)),
    )
