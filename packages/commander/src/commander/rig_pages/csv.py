"""The log as a file: comma-separated values, written while they are read, however many there are."""

import csv
import io
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
from protocol.figures import COUNTERS
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.db import Database, to_us
from commander.history.names import Named, folded, only
from commander.history.query import History, HistorySeries, rig_history
from commander.raw_logs import store as logs
from commander.readings.series import READINGS, Series
from commander.registry.kinds import RigKind
from commander.registry.tables import RIGS
from commander.rig_pages.chart_kinds import added_up, columns
from commander.rig_pages.log_query import LogQuery
from commander.rig_pages.log_table import wanted_figures

LOOK_POINTS = 200
LOGS_AT_ONCE = timedelta(hours=1)
LOGS_MOST = 20_000  # in that hour
STEPS_AT_ONCE = timedelta(days=1)
STEPS_A_DAY = 1_440
LATE = timedelta(days=30)  # logs may be older than their rig's record by this


async def csv_of_logs(
    database: Database, kind: RigKind, rig_id: int, query: LogQuery, *, until: datetime
) -> AsyncIterator[str]:
    """A line for each log as it came, from the oldest on."""
    known = await _known_series(database, kind, rig_id, query, until)
    shown, names = columns(known, figures=wanted_figures(query), devices=query.devices), only(known)
    yield _lines([["taken_at", *map(_name, shown)]])
    since = await _first(database, kind, rig_id, query.range.since)
    for start, end in _windows(since, until, LOGS_AT_ONCE):
        async with database.reading() as db:
            stored = await logs.read_logs(db, kind, rig_id, from_us=to_us(start), before_us=to_us(end), limit=LOGS_MOST)
        if stored:
            yield _lines(_log_line(kind, log, shown, names) for log in reversed(stored))


async def csv_of_steps(
    database: Database, kind: RigKind, rig_id: int, query: LogQuery, *, until: datetime
) -> AsyncIterator[str]:
    """A line for each step of time that has figures, from the oldest on, in minutes or what they were rolled up to."""
    known = await _known_series(database, kind, rig_id, query, until)
    shown = columns(known, figures=wanted_figures(query), devices=query.devices)
    yield _lines([["time", "step_s", *(name for series in shown for name in _names(series))]])
    since = await _first(database, kind, rig_id, query.range.since)
    for start, end in _windows(since, until, STEPS_AT_ONCE):
        async with database.reading() as db:
            history = await rig_history(
                db,
                kind,
                rig_id,
                since=start,
                until=end,
                points=STEPS_A_DAY,
                figures=wanted_figures(query),
                may_be_raw=False,
            )
        if history.times:
            yield _lines(_step_lines(history, shown, start, end))


async def _known_series(
    database: Database, kind: RigKind, rig_id: int, query: LogQuery, until: datetime
) -> set[Series]:
    """Returns the columns, before the first line is read."""
    async with database.reading() as db:
        look = await rig_history(
            db,
            kind,
            rig_id,
            since=query.range.since,
            until=until,
            points=LOOK_POINTS,
            figures=wanted_figures(query),
        )
    return {_key(series) for series in look.series}


async def _first(database: Database, kind: RigKind, rig_id: int, since: datetime) -> datetime:
    """Before a rig was added there is nothing to be looked for."""
    async with database.reading() as db:
        created_at = await _created_at(db, kind, rig_id)
    return since if created_at is None else max(since, created_at - LATE)


async def _created_at(db: AsyncConnection, kind: RigKind, rig_id: int) -> datetime | None:
    rigs = RIGS[kind]
    return (await db.execute(sa.select(rigs.c.created_at).where(rigs.c.id == rig_id))).scalar_one_or_none()


def _windows(since: datetime, until: datetime, length: timedelta) -> Iterable[tuple[datetime, datetime]]:
    """The range in parts that begin at whole hours or days, so that no step lies in two of them."""
    start = since
    while start < until:
        midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
        end = min(until, midnight + ((start - midnight) // length + 1) * length)
        yield start, end
        start = end


def _log_line(kind: RigKind, log: logs.StoredLog, shown: Sequence[Series], names: Named) -> list[str]:
    readings = folded(added_up(READINGS[kind](log.body)), names)
    return [_moment(log.taken_at), *(_number(readings.get(series)) for series in shown)]


def _step_lines(history: History, shown: Sequence[Series], start: datetime, end: datetime) -> Iterable[list[str]]:
    found = {_key(series): series for series in history.series}
    lines = [(series, found.get(series)) for series in shown]
    for at, moment in enumerate(history.times):
        cells = [text for series, line in lines for text in _cells(series, line, at)]
        if any(cells) and moment < end and moment + timedelta(seconds=history.step_s) > start:
            yield [_moment(moment), str(history.step_s), *cells]


def _cells(series: Series, line: HistorySeries | None, at: int) -> list[str]:
    if line is None:
        return [""] * len(_names(series))
    if series[0] in COUNTERS:
        return [_number(line.mean[at])]
    return [_number(values[at]) for values in (line.mean, line.min, line.max)]


def _key(series: HistorySeries) -> Series:
    return series.figure, series.device, series.algorithm, series.coin


def _name(series: Series) -> str:
    """ "power_w 0000:03:00.0", "hashrate_hs Monero rx/0"."""
    figure, device, algorithm, coin = series
    return " ".join(filter(None, (figure, device, coin, algorithm)))


def _names(series: Series) -> list[str]:
    """Of what is measured there is a mean, a lowest and a highest; of what is counted only a sum."""
    name = _name(series)
    return [name] if series[0] in COUNTERS else [f"{name} mean", f"{name} min", f"{name} max"]


def _moment(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _number(value: float | None) -> str:
    """Unknown is an empty cell, not 0."""
    if value is None:
        return ""
    return f"{value:.0f}" if value % 1 == 0 else f"{value:.6f}".rstrip("0")


def _lines(rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()
