"""WildRig-Multi: xmrig's first API in one answer, H/s; `hashrate.threads` has one entry per card.

A window that is not yet filled is 0.0 here, but the first one, [0], is the present. Newer versions have `hwmon`, whose
arrays line up with the cards; its `busID` is decimal.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from protocol.coins import only_coin
from protocol.messages import AlgorithmReading, MinerDevice, MinerReading
from sentry_kit.parsing import count, number, percent, positive, temperature, text

from cpu_gpu_sentry.miners.parsing import (
    algorithm_or_unknown,
    at,
    checked,
    decode,
    is_connected,
    lined_up,
    mapping,
    names_a_job,
    pci_of_bus,
    reading,
    unplaced,
    words,
)

KEYS = words("id worker_id version kind ua cpu algo donate_level uptime hashrate results connection hwmon")


def parse_wildrig(replies: Sequence[bytes]) -> MinerReading:
    """From `/`."""
    return checked("WildRig", lambda: _parse(decode(replies[0])))


def _parse(status: Any) -> MinerReading:
    results, hwmon = mapping(status.get("results")), mapping(status.get("hwmon"))
    cards = mapping(status["hashrate"]).get("threads") or []
    places = _Places(results, hwmon, len(cards))
    devices = [_device(windows, position, places) for position, windows in enumerate(cards)]
    has_job = names_a_job([status.get("algo")]) and is_connected(mapping(status.get("connection")))
    uptime_s = count(status.get("uptime"))
    version, whole = status.get("version"), [_algorithm(status)]
    return reading("wildrig", version, uptime_s, whole, devices, has_job=has_job, answer=status)


@dataclass(frozen=True, slots=True)
class _Places:
    """Lists with one place per card."""

    results: dict[str, Any]
    hwmon: dict[str, Any]
    cards: int

    def shares(self, figure: str, position: int) -> object:
        return lined_up(self.results.get(figure), self.cards)[position]

    def sensor(self, figure: str, position: int) -> object:
        return lined_up(self.hwmon.get(figure), self.cards)[position]


def _algorithm(status: Any) -> AlgorithmReading:
    results, connection = mapping(status.get("results")), mapping(status.get("connection"))
    algorithm = algorithm_or_unknown(status.get("algo"))
    good, every = count(results.get("shares_good")), count(results.get("shares_total"))
    return AlgorithmReading(
        algorithm=algorithm,
        coin=only_coin(algorithm),
        hashrate_hs=number(at(status["hashrate"]["total"], 0)),
        accepted=good,
        rejected=None if good is None or every is None or every < good else every - good,
        pool=text(connection.get("pool")),
        user=text(connection.get("user")),
    )


def _device(windows: Any, position: int, places: _Places) -> MinerDevice:
    return MinerDevice(
        device=pci_of_bus(places.sensor("busID", position)) or unplaced(None, position),
        hashrates_hs=[number(at(windows, 0))],
        accepted=count(places.shares("shares_accepted", position)),
        rejected=count(places.shares("shares_rejected", position)),
        temperature_c=temperature(places.sensor("temp", position)),
        fan_percent=percent(places.sensor("fan", position)),
        power_w=positive(places.sensor("power", position)),
        core_clock_mhz=positive(places.sensor("cclk", position)),
        memory_clock_mhz=positive(places.sensor("mclk", position)),
    )
