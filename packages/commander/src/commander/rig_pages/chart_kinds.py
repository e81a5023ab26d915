"""The charts of pages, from the table of metrics, and how a log table shows each metric."""

from collections.abc import Iterable

import msgspec
from protocol import figures
from protocol.figure_types import Chart, Kind, Whole
from protocol.figures import FIGURES

from commander.readings.series import SOURCE, Readings, Series, work_of
from commander.rig_pages.log_query import WHOLE, device_label
from commander.web.format import Figure, measured


class ChartUnit(msgspec.Struct, frozen=True, rename="camel"):
    """A unit as the script needs it. `counts`: there are no halves."""

    name: str
    scales: bool
    digits: int
    counts: bool


class ChartKind(msgspec.Struct, frozen=True, rename="camel"):
    """A chart as the script needs it.

    `figures` has the word that distinguishes a metric from others on the chart. `adds`: what devices add up to is
    shown; else each device is. `steps`: counted in each step, not measured at a moment.
    """

    id: str
    title: str
    figures: dict[str, str]
    unit: ChartUnit
    whole: str
    adds: bool
    from_zero: bool
    steps: bool
    split: bool


def _kind(chart: Chart) -> ChartKind:
    rows = figures.figures_on(chart)
    unit, is_counted = rows[0].unit, rows[0].kind is Kind.COUNTER
    return ChartKind(
        id=chart.id,
        title=chart.title,
        figures={row.name: row.word for row in rows},
        unit=ChartUnit(unit.text, unit.prefixes, rows[0].decimals, counts=is_counted),
        whole=chart.whole,
        adds=rows[0].whole is Whole.SUM,
        from_zero=chart.from_zero,
        steps=is_counted,
        split=chart.split,
    )


CHARTS = {chart.id: _kind(chart) for chart in figures.CHARTS}
CHARTS_JSON = msgspec.json.encode(list(CHARTS.values())).decode()
LOG_CHARTS = tuple(CHARTS)
RIG_CHARTS = tuple(chart.id for chart in figures.CHARTS if chart.on_rig_page)
FARM_CHARTS = tuple(chart.id for chart in figures.CHARTS if chart.on_farm_page)
_PLACES = {figure: place for place, figure in enumerate(FIGURES)}


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
    return ", ".join(filter(None, (FIGURES[figure].label, work, device_label(device) if device else "")))


def cell(series: Series, value: float | None) -> Figure:
    return measured(FIGURES[series[0]], value)
