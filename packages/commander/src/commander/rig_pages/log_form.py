"""The forms of a log page: from when to when, and what of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from commander.rig_pages.chart_kinds import CHARTS, LOG_CHARTS
from commander.rig_pages.log_query import WHOLE, LogQuery, device_label, range_parameters
from commander.web.moments import WrongRange, field_text, moment_of


@dataclass(frozen=True, slots=True)
class RangeForm:
    """`since` and `until` as a browser's field wants them, in UTC. `kept` goes along: what is chosen of the log."""

    since: str
    until: str
    error_field: str
    error: str
    kept: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Choice:
    """A box to tick."""

    value: str
    label: str
    ticked: bool


@dataclass(frozen=True, slots=True)
class Choices:
    """`kept` is the range; `all_chosen`: the request names no metric and no device."""

    charts: list[Choice]
    devices: list[Choice]
    kept: list[tuple[str, str]]
    all_chosen: bool


def range_form(query: LogQuery, wrong: WrongRange | None, given: Mapping[str, str]) -> RangeForm:
    return RangeForm(
        since=_given(given.get("from", "")) if wrong else field_text(query.range.since),
        until=_given(given.get("to", "")) if wrong else field_text(query.range.until),
        error_field=wrong.field if wrong else "",
        error=str(wrong) if wrong else "",
        kept=[*(("figures", chart) for chart in query.charts), *(("devices", device) for device in query.devices)],
    )


def choices(query: LogQuery, devices: Iterable[str]) -> Choices:
    """`devices` are those that the rig has now; it may have had others."""
    known = dict.fromkeys([WHOLE, *devices, *query.devices])
    charts, ticked = query.charts or LOG_CHARTS, query.devices or (WHOLE,)
    return Choices(
        charts=[Choice(chart, kind.title, chart in charts) for chart, kind in CHARTS.items()],
        devices=[Choice(device, _device(device), device in ticked) for device in known],
        kept=list(range_parameters(query.range).items()),
        all_chosen=not query.charts and not query.devices,
    )


def _device(device: str) -> str:
    return "In total" if device == WHOLE else device_label(device)


def _given(text: str) -> str:
    """Returns the typed text. A time that can be read is returned in the form that the field knows."""
    try:
        return field_text(moment_of(text))
    except ValueError:
        return text
