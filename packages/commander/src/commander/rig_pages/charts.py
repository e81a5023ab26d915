"""Data for the script of a page with charts: the address of the figures, the expected charts, the newest values."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import msgspec
from markupsafe import Markup
from protocol.figures import COUNTERS

from commander.history.names import ON_A_PAGE, Names, folded
from commander.live.operational_index import OperationalIndex
from commander.live.rig_state import RigState
from commander.readings.series import HASHRATE, POWER, READINGS, SOURCE, Readings, Series, work_of
from commander.registry.kinds import RigKind
from commander.rig_pages.chart_kinds import CHARTS, CHARTS_JSON, FARM_CHARTS, figures_on
from commander.rig_pages.cpu_gpu_rows import HEALTH_TONES, HEALTH_WORDS
from commander.rig_pages.log_query import WHOLE, LogQuery, Span, device_label, last, range_of
from commander.web.moments import WrongRange
from commander.web.shell import macro

SPAN_LABELS = {Span.HOUR: "1 h", Span.DAY: "24 h", Span.WEEK: "7 d", Span.QUARTER: "90 d", Span.YEAR: "1 y"}
STATS_API = {RigKind.CPU_GPU: "/api/v1/cpu-gpu-stats/history", RigKind.ASIC: "/api/v1/asic-stats/history"}
RIGS_API = {RigKind.CPU_GPU: "/api/v1/cpu-gpu-rigs", RigKind.ASIC: "/api/v1/asic-rigs"}
ALIVE = "rigs_alive"
TINTS = 9


@dataclass(frozen=True, slots=True)
class SpanLink:
    label: str
    span: Span
    href: str
    current: bool


@dataclass(frozen=True, slots=True)
class LegendKey:
    """An entry of a legend, before there are figures."""

    label: str
    tint: int


@dataclass(frozen=True, slots=True)
class Place:
    """Room for a chart that will come, so that nothing moves when it does."""

    id: str
    title: str
    keys: list[LegendKey]


@dataclass(frozen=True, slots=True)
class ChartsView:
    """The charts of a page.

    The script reads `figures`, `devices` (their names) and `lines` (which to draw; empty: the usual ones).
    `conditions` is the address of what was wrong meanwhile; empty: nothing is marked behind the lines. `along`: the
    page has a table of the same range. `born`: when the rig, or the farm's first rig, was added. `kinds`: all charts
    that the script can draw, as JSON.
    """

    title: str
    history: str
    figures: str
    devices: str
    lines: str
    as_of: datetime
    spans: list[SpanLink]
    places: list[Place]
    now: Markup
    empty: str
    conditions: str = ""
    born: datetime | None = None
    along: bool = False
    kinds: str = CHARTS_JSON


@dataclass(frozen=True, slots=True)
class LogHead:
    """The heading of a log page; `path` is the rig's own page."""

    name: str
    path: str
    word: str
    tone: str


class Reading(msgspec.Struct, frozen=True):
    figure: str
    device: str | None
    algorithm: str | None
    coin: str | None
    value: float


class Now(msgspec.Struct, frozen=True):
    """The live edge: what was reported last. Counters as they were counted, by who counts."""

    at: datetime
    readings: list[Reading]


def rig_charts(
    kind: RigKind,
    state: RigState,
    charts: Iterable[str],
    query: LogQuery,
    path: str,
    *,
    now: datetime,
    along: bool = False,
) -> ChartsView:
    """The charts of one rig's page at `path`; `charts` as in `CHARTS`."""
    wanted = query.charts or tuple(charts)
    readings = readings_of(kind, state)
    devices = {series[1] for series in readings if series[1] and not series[1].startswith(SOURCE)}
    return ChartsView(
        title="Over time",
        history=f"{RIGS_API[kind]}/{state.id}/history",
        figures=",".join(wanted),
        devices=msgspec.json.encode({device: _about(device) for device in sorted(devices)}).decode(),
        lines=",".join(query.devices),
        as_of=now,
        spans=span_links(query, path),
        places=places(readings, wanted),
        now=chart_now(state.taken_at, readings),
        empty="Nothing was reported in this time.",
        conditions=f"{RIGS_API[kind]}/{state.id}/conditions",
        born=state.added_at,
        along=along,
    )


def farm_charts(kind: RigKind, index: OperationalIndex, query: LogQuery, path: str, *, now: datetime) -> ChartsView:
    """The farm's hashrate by coin and power, below the table of all rigs at `path`."""
    readings = farm_readings(index)
    return ChartsView(
        title="The farm over time",
        history=STATS_API[kind],
        figures=",".join(FARM_CHARTS),
        devices="{}",
        lines="",
        as_of=now,
        spans=span_links(query, path),
        places=places(readings, FARM_CHARTS),
        now=chart_now(now, readings),
        empty="There is no history of this time yet: the farm's history begins with the first report.",
        born=min((rig.added_at for rig in index.rigs.values() if rig.added_at), default=None),
    )


def usual_query(parameters: Mapping[str, str], *, now: datetime) -> LogQuery:
    """Reads the charts' settings from an address. A range that makes no sense becomes the usual one."""
    try:
        return LogQuery(range_of(parameters, now=now))
    except WrongRange:
        return LogQuery(last(Span.DAY, now=now))


def span_links(query: LogQuery, path: str) -> list[SpanLink]:
    return [
        SpanLink(label, span, query.over(span).address(path), span is query.range.span)
        for span, label in SPAN_LABELS.items()
    ]


def readings_of(kind: RigKind, state: RigState) -> Readings:
    """The rig's newest log, taken apart; empty while it waits for its sentry."""
    return {} if state.latest is None else folded(READINGS[kind](state.latest), Names(ON_A_PAGE).named)


def farm_readings(index: OperationalIndex) -> Readings:
    totals = index.totals
    readings: Readings = {
        (HASHRATE, None, each.work.algorithm, each.work.coin): each.hashrate_hs for each in totals.largest()
    }
    if totals.power_w is not None:
        readings[POWER, None, None, None] = totals.power_w
    return readings | {(ALIVE, None, None, None): totals.alive}


def chart_now(at: datetime | None, readings: Readings) -> Markup:
    """The element that each frame replaces; empty while nothing was reported."""
    text = ""
    if at is not None and readings:
        drawn = figures_on(CHARTS) | {ALIVE}
        found = [Reading(*series, value) for series, value in readings.items() if series[0] in drawn]
        text = msgspec.json.encode(Now(at, found)).decode()
    return macro("rig_pages/charts.html", "now", text)


def rig_now(kind: RigKind, state: RigState) -> Markup:
    return chart_now(state.taken_at, readings_of(kind, state))


def log_head(state: RigState, path: str) -> LogHead:
    """`path` is the index's."""
    return LogHead(state.name, f"{path}/{state.id}", HEALTH_WORDS[state.health], HEALTH_TONES[state.health])


def places(readings: Readings, charts: Iterable[str]) -> list[Place]:
    devices = sorted(
        {device for _, device, _, _ in readings if device and not device.startswith(SOURCE)}, key=_in_order
    )
    return [place for chart in charts for place in _places_of(chart, readings, devices)]


def _places_of(chart: str, readings: Readings, devices: list[str]) -> Iterable[Place]:
    kind = CHARTS[chart]
    shown_series = [series for series in readings if series[0] in kind.figures]
    if not kind.split:
        return [Place(chart, kind.title, _keys(chart, shown_series, devices))] if shown_series else []
    works = sorted({_label(series) for series in shown_series})
    return [
        Place(
            f"{chart}-{work}",
            f"{kind.title}, {work}",
            _keys(chart, [s for s in shown_series if _label(s) == work], devices),
        )
        for work in works
    ]


def _keys(chart: str, shown_series: list[Series], devices: list[str]) -> list[LegendKey]:
    whole = any(series[1] is None or series[0] in COUNTERS for series in shown_series)
    of_devices = {series[1] for series in shown_series}
    first = [LegendKey(CHARTS[chart].whole, 0)] if whole else []
    return first + [
        LegendKey(device_label(device), at % TINTS + 1) for at, device in enumerate(devices) if device in of_devices
    ]


def _label(series: Series) -> str:
    return work_of(series).label


def _in_order(device: str) -> tuple[bool, str]:
    return device != "cpu", device


def _about(device: str) -> str:
    label = device_label(device)
    return label if label.casefold() in (device, WHOLE) or ":" not in device else f"{label} ({device})"
