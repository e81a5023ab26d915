"""Numbers for people, as pages show them: shortened for the eye, whole in the title."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from protocol import figure_types, units
from protocol.figure_types import Unit
from protocol.figures import HASHES, MEGAHERTZ, NUMBER, WATTS


class Figure(NamedTuple):
    """A value for people. `exact` is empty where `text` is exact."""

    text: str
    exact: str = ""


NOT_KNOWN = Figure(units.UNKNOWN, "not known")


def hashrate(hashrate_hs: float | None) -> Figure:
    if hashrate_hs is None:
        return NOT_KNOWN
    return Figure(units.hashrate_text(hashrate_hs), units.exact_text(hashrate_hs, "H/s"))


def power(power_w: float | None) -> Figure:
    return NOT_KNOWN if power_w is None else Figure(units.power_text(power_w), units.exact_text(power_w, "W"))


def efficiency(energy_j: float | None) -> Figure:
    """Of joules for a hash."""
    if energy_j is None:
        return NOT_KNOWN
    return Figure(units.efficiency_text(energy_j), units.exact_text(energy_j * 1e12, "J/TH"))


def temperature(temperature_c: float | None) -> Figure:
    if temperature_c is None:
        return NOT_KNOWN
    return Figure(units.temperature_text(temperature_c), units.exact_text(temperature_c, "°C"))


def percent(value: float | None) -> Figure:
    return NOT_KNOWN if value is None else Figure(units.percent_text(value), units.exact_text(value, "%"))


def fan(fan_percent: float | None, fan_rpm: float | None) -> Figure:
    """Returns a fan's speed in percent if the device reports that, otherwise in turns."""
    if fan_percent is None and fan_rpm is not None:
        return turns(fan_rpm)
    beside = "" if fan_rpm is None else f", {units.exact_text(fan_rpm, 'rpm')}"
    shown = percent(fan_percent)
    return Figure(shown.text, shown.exact + beside)


def turns(fan_rpm: float | None) -> Figure:
    return NOT_KNOWN if fan_rpm is None else Figure(units.turns_text(fan_rpm), units.exact_text(fan_rpm, "rpm"))


def clock(clock_mhz: float | None) -> Figure:
    return NOT_KNOWN if clock_mhz is None else Figure(units.clock_text(clock_mhz))


def count(number: float | None) -> Figure:
    return NOT_KNOWN if number is None else Figure(units.count_text(round(number)))


def size(size_bytes: float | None) -> Figure:
    if size_bytes is None:
        return NOT_KNOWN
    return Figure(units.bytes_text(size_bytes), units.exact_text(size_bytes, "bytes"))


def duration(seconds: float | None) -> Figure:
    return NOT_KNOWN if seconds is None else Figure(units.duration_text(seconds), units.exact_text(seconds, "s"))


def rejected(accepted: int | None, rejected_: int | None, rejected_percent: float | None) -> Figure:
    """The part of the shares that the pool refused."""
    if rejected_percent is None:
        return NOT_KNOWN
    if accepted is None or rejected_ is None:
        return Figure(_small_percent(rejected_percent), units.exact_text(rejected_percent, "%"))
    shares = f"{units.count_text(rejected_)} of {units.count_text(accepted + rejected_)} shares rejected"
    return Figure(_small_percent(rejected_percent), shares)


def _small_percent(value: float) -> str:
    """Returns a percentage below 1 with one digit: 0.3 %, which is not 0 %."""
    if 0 < value < 0.05:
        return "< 0.1 %"
    return f"{value:.1f} %" if 0 < value < 9.95 else f"{value:.0f} %"


_OF_UNITS: Mapping[Unit, Callable[[float | None], Figure]] = {
    HASHES: hashrate,
    WATTS: power,
    MEGAHERTZ: clock,
    NUMBER: count,
}


def measured(row: figure_types.Figure, value: float | None) -> Figure:
    """A value of any metric, with the decimals and the unit of its row in the table."""
    if value is None:
        return NOT_KNOWN
    if of_unit := _OF_UNITS.get(row.unit):
        return of_unit(value)
    return Figure(f"{value:,.{row.decimals}f} {row.unit.text}", units.exact_text(value, row.unit.text))
