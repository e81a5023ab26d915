"""The table of all metrics and their possible values. Sentries and commander both use it.

A value outside is not a measurement: a sensor that is gone, or a number that means "unknown" (255, 511, 65535,
4294967). `reading` leaves it out and keeps the rest. A new metric is a row here and a field in a message.
"""

from collections.abc import Mapping
from typing import NamedTuple

from msgspec import Meta


class Bounds(NamedTuple):
    """The lowest and the highest possible value, both included. `source` says where they come from."""

    lowest: float
    highest: float
    unit: str
    source: str


_TEMPERATURE = Bounds(-60, 150, "°C", "no chip is rated for more; k10temp said 4,294,948 and amdgpu 511 for unknown")
_SHARE = Bounds(0, 100, "%", "a part of a whole")
_CLOCK = Bounds(1, 40_000, "MHz", "GDDR7 is reported as 32,000 MHz; amdgpu says 0 for a card that is lost")
_HASHRATE = Bounds(0, 1e21, "H/s", "all of Bitcoin's ASICs together do 1e21")
_SECONDS = Bounds(0, 10**9, "s", "31 years; 2^32 - 1 seconds mean unknown")
_PARTS = Bounds(0, 10_000, "", "the largest hash boards have some 500 chips, the largest machines 1,000 cores")
_BYTES = Bounds(0, 2**46, "B", "64 TiB, more than any rig has")
_RPM = Bounds(0, 50_000, "RPM", "the fastest fans do 38,000 RPM; 65535 means unknown")

FIGURES: Mapping[str, Bounds] = {
    "temperature_c": _TEMPERATURE,
    "memory_temperature_c": _TEMPERATURE,
    "inlet_temperature_c": _TEMPERATURE,
    "outlet_temperature_c": _TEMPERATURE,
    "chip_temperature_c": _TEMPERATURE,
    "fan_percent": Bounds(0, 200, "%", "NVML: may exceed 100 on some cards; 255 means unknown"),
    "fan_rpm": _RPM,
    "fans_rpm": _RPM,
    "load_percent": _SHARE,
    "rejected_percent": _SHARE,
    "power_w": Bounds(0, 3_000, "W", "a processor or a card: NVIDIA GB200 draws 1,200 W; 4294967 mW mean unknown"),
    "asic_power_w": Bounds(0, 50_000, "W", "hydro-cooled ASICs draw 11 kW; 65535 means unknown"),
    "core_clock_mhz": _CLOCK,
    "memory_clock_mhz": _CLOCK,
    "hashrate_hs": _HASHRATE,
    "hashrates_hs": _HASHRATE,
    "average_hashrate_hs": _HASHRATE,
    "expected_hashrate_hs": _HASHRATE,
    "hashrate_window_s": _SECONDS,
    "uptime_s": _SECONDS,
    "memory_used_bytes": _BYTES,
    "memory_bytes": _BYTES,
    "chips": _PARTS,
    "expected_chips": _PARTS,
    "cores": _PARTS,
    "threads": _PARTS,
    "api_port": Bounds(1, 65_535, "", "a TCP port"),
    "count": Bounds(0, 2**53, "", "anything counted, such as shares: JSON's whole numbers are exact up to here"),
}


def within(name: str) -> Meta:
    """The bounds of a metric, to annotate a message's field."""
    bounds = FIGURES[name]
    return Meta(ge=bounds.lowest, le=bounds.highest)


def possible(name: str, value: float | None) -> float | None:
    """Returns the value; None if it is impossible for the metric of this name."""
    bounds = FIGURES[name]
    return value if value is not None and bounds.lowest <= value <= bounds.highest else None
