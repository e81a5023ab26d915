"""A query of a rig's log: its range, figures and devices."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from urllib.parse import urlencode

from commander.web.moments import WrongRange, check_order, moment_in

WHOLE = "total"  # how addresses name the whole rig among its devices
DEVICES_MAX = 64
PAGE_MAX = 10_000
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_CARD = re.compile(r"(?:0000:)?(?P<place>.+?)(?:\.0)?")
_NUMBERED = re.compile(r"(?P<what>[a-z]+)(?P<number>\d+)")


class Span(StrEnum):
    HOUR = "1h"
    DAY = "24h"
    WEEK = "7d"
    QUARTER = "90d"
    YEAR = "1y"


LENGTHS = {
    Span.HOUR: timedelta(hours=1),
    Span.DAY: timedelta(hours=24),
    Span.WEEK: timedelta(days=7),
    Span.QUARTER: timedelta(days=90),
    Span.YEAR: timedelta(days=365),
}
USUAL = Span.DAY


@dataclass(frozen=True, slots=True)
class Range:
    """since <= time < until; `span` if it is the last hours or days, which go on."""

    since: datetime
    until: datetime
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class LogQuery:
    """`charts` and `devices` are empty for what is usual. `before_us` and `page` say where in the table."""

    range: Range
    charts: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    page: int = 1
    before_us: int | None = None

    def address(self, path: str) -> str:
        parameters = urlencode(list(self._parameters()))
        return f"{path}?{parameters}" if parameters else path

    def turned(self, *, page: int = 1, before_us: int | None = None) -> "LogQuery":
        return replace(self, page=page, before_us=before_us)

    def over(self, span: Span) -> "LogQuery":
        """The same of the last hours or days, from the table's beginning."""
        return replace(self.turned(), range=replace(self.range, span=span))

    def _parameters(self) -> Iterable[tuple[str, str]]:
        yield from range_parameters(self.range).items()
        yield from (("figures", chart) for chart in self.charts)
        yield from (("devices", device) for device in self.devices)
        if self.page > 1:
            yield "page", str(self.page)
        if self.before_us is not None:
            yield "before", str(self.before_us)


def range_parameters(wanted: Range) -> dict[str, str]:
    """As in the address; what is usual is left out."""
    if wanted.span is not None:
        return {} if wanted.span is USUAL else {"range": wanted.span.value}
    return {"from": moment_parameter(wanted.since), "to": moment_parameter(wanted.until)}


def moment_parameter(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def last(span: Span, *, now: datetime) -> Range:
    return Range(now - LENGTHS[span], now, span)


def range_of(parameters: Mapping[str, str], *, now: datetime) -> Range:
    """The range that an address asks for. Raises `WrongRange`."""
    since, until = (_moment(parameters.get(field, ""), field) for field in ("from", "to"))
    if since is None and until is None:
        name = parameters.get("range") or USUAL
        return last(Span(name) if name in set(Span) else USUAL, now=now)
    until = until or now
    since = since or until - LENGTHS[USUAL]
    check_order(since, until)
    if since >= now:
        raise WrongRange("from", "This time is in the future.")
    return Range(since, until)


def _moment(text: str, field: str) -> datetime | None:
    moment = moment_in(text, field)
    return moment and max(BEGINNING, moment)  # no log is from before 1970


def chosen(texts: Iterable[str], known: Sequence[str]) -> tuple[str, ...]:
    """Those of `known` that an address names, in their order; all of them are none in particular."""
    named = {part for text in texts for part in text.split(",")}
    found = tuple(name for name in known if name in named)
    return () if len(found) == len(known) else found


def chosen_devices(texts: Iterable[str]) -> tuple[str, ...]:
    """Devices may have gone since: any name may be asked for."""
    named = dict.fromkeys(part for text in texts for part in text.split(",") if part and len(part) <= DEVICES_MAX)
    return tuple(named)[:DEVICES_MAX]


def page_number(text: str) -> int:
    """An address that somebody mistyped shows the first page."""
    return min(int(text), PAGE_MAX) if text.isdecimal() and len(text) < 9 and int(text) else 1


def device_label(device: str) -> str:
    """ "GPU 03:00" for 0000:03:00.0, as the system calls the card; "Board 1" for board1."""
    if device == "cpu":
        return "CPU"
    if ":" in device:
        card = _CARD.fullmatch(device)
        return f"GPU {card['place'] if card else device}"
    numbered = _NUMBERED.fullmatch(device)
    if numbered is None:
        return device
    what = "GPU" if numbered["what"] == "gpu" else numbered["what"].capitalize()
    return f"{what} {numbered['number']}"
