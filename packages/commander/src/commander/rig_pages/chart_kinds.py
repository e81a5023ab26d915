"""Which figures a log has, on which chart each stands, and how a table shows them.

The charts' ids are those of `frontend/src/charts/kinds.ts`.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from commander.readings.series import COUNTERS, SOURCE, Readings, Series, work_of
from commander.rig_pages.log_query import WHOLE, device_label
from commander.web import format as shown
from commander.web.format import Figure


class ChartKind(NamedTuple):
    """`figures` with the title of each; `split`: works have charts of their own; `whole`: a rig's sum comes first."""

    title: str
    figures: dict[str, str]
    whole: str
    split: bool = False


CHARTS: dict[str, ChartKind] = {
    "hashrate": ChartKind("Hashrate", {"hashrate_hs": "Hashrate"}, "Total", split=True),
    "power": ChartKind("Power", {"power_w": "Power"}, "Total"),
    "temperature": ChartKind(
        "Temperature",
        {
            "temperature_c": "Temperature",
            "inlet_temperature_c": "Inlet temperature",
            "outlet_temperature_c": "Outlet temperature",
            "chip_temperature_c": "Chip temperature",
        },
        "Hottest",
    ),
    "memory-temperature": ChartKind("Memory temperature", {"memory_temperature_c": "Memory temperature"}, "Hottest"),
    "fan": ChartKind("Fans", {"fan_percent": "Fan"}, "Fastest"),
    "fan-speed": ChartKind("Fan speed", {"fan_rpm": "Fan speed"}, "Fastest"),
    "core-clock": ChartKind("Core clock", {"core_clock_mhz": "Core clock"}, "Fastest"),
    "memory-clock": ChartKind("Memory clock", {"memory_clock_mhz": "Memory clock"}, "Fastest"),
    "accepted": ChartKind("Shares accepted", {"accepted": "Shares accepted"}, "Total"),
    "refused": ChartKind(
        "Shares refused",
        {"rejected": "Shares rejected", "stale": "Shares stale", "invalid": "Shares invalid"},
        "Rejected",
    ),
}
LOG_CHARTS = tuple(CHARTS)
RIG_CHARTS = ("hashrate", "power", "temperature", "fan", "fan-speed")
FARM_CHARTS = ("hashrate", "power")
TITLES = {figure: title for kind in CHARTS.values() for figure, title in kind.figures.items()}
_PLACES = {figure: place for place, figure in enumerate(TITLES)}
_SHOWN: dict[str, Callable[[float | None], Figure]] = {
    "hashrate_hs": shown.hashrate,
    "power_w": shown.power,
    "fan_percent": shown.percent,
    "fan_rpm": shown.turns,
    "core_clock_mhz": shown.clock,
    "memory_clock_mhz": shown.clock,
}


def figures_on(charts: Iterable[str]) -> frozenset[str]:
    return frozenset(figure for chart in charts for figure in CHARTS[chart].figures)


def added_up(readings: Readings) -> Readings:
    """With one count of shares for all who count: mining programs, pools."""
    sums: Readings = {}
    for (figure, device, algorithm, coin), value in readings.items():
        if device is not None and device.startswith(SOURCE):
            key = figure, None, algorithm, coin
            sums[key] = sums.get(key, 0) + value
        else:
            sums[figure, device, algorithm, coin] = value
    return sums


def columns(known: Iterable[Series], *, figures: frozenset[str], devices: Iterable[str]) -> list[Series]:
    """Those series that somebody wants to see, as they stand beside each other. No `devices`: the whole rig."""
    wanted = set(devices) or {WHOLE}
    found = {series for series in known if series[0] in figures and (series[1] or WHOLE) in wanted}
    return sorted(found, key=_place)


def _place(series: Series) -> tuple[int, str, str, str]:
    figure, device, algorithm, coin = series
    return _PLACES[figure], device or "", coin or "", algorithm or ""


def column_label(series: Series) -> str:
    """ "Hashrate, Monero", "Power, GPU 03:00"."""
    figure, device, algorithm, _ = series
    work = work_of(series).label if algorithm else ""
    return ", ".join(filter(None, (TITLES[figure], work, device_label(device) if device else "")))


def cell(series: Series, value: float | None) -> Figure:
    if series[0] in COUNTERS:
        return shown.count(None if value is None else round(value))
    return _SHOWN.get(series[0], shown.temperature)(value)
