"""The log as a table: the logs themselves as long as they are kept, after that what they came to."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from commander.db import to_us
from commander.history.names import ON_A_PAGE, Names, folded
from commander.history.query import POINTS_AT_MOST, History, rig_history
from commander.raw_logs import store as logs
from commander.readings.series import READINGS, SOURCE, Readings, Series
from commander.registry.kinds import RigKind
from commander.rig_pages.chart_kinds import LOG_CHARTS, added_up, cell, column_label, columns, figures_on
from commander.rig_pages.log_query import LogQuery
from commander.web.format import Figure

ROWS_A_PAGE = 100
COLUMNS_A_PAGE = 200
MINUTE_S, HOUR_S = 60, 3_600


@dataclass(frozen=True, slots=True)
class LogRowView:
    at: datetime
    cells: list[Figure]


@dataclass(frozen=True, slots=True)
class TableView:
    """One page of a log table. `what` says what a row is; `left_out` columns have no room.

    `newest` and `older` are empty if there is no such page.
    """

    what: str
    left_out: int
    columns: list[str]
    rows: list[LogRowView]
    newest: str
    older: str


def is_raw(query: LogQuery, *, now: datetime, raw_kept: timedelta) -> bool:
    """Returns whether all of the range's logs are still kept one by one."""
    return query.range.since >= now - raw_kept


async def raw_table(db: AsyncConnection, kind: RigKind, rig_id: int, query: LogQuery, path: str) -> TableView:
    """A page of logs as they were reported, newest first."""
    until_us = to_us(query.range.until)
    before_us = until_us if query.before_us is None else min(query.before_us, until_us)
    since_us = to_us(query.range.since)
    page = await logs.read_logs(db, kind, rig_id, from_us=since_us, before_us=before_us, limit=ROWS_A_PAGE + 1)
    names = Names(ON_A_PAGE)
    rows = [(log.taken_at, added_up(folded(READINGS[kind](log.body), names.named))) for log in page[:ROWS_A_PAGE]]
    older = query.turned(before_us=to_us(rows[-1][0])).address(path) if len(page) > ROWS_A_PAGE else ""
    newest = query.turned().address(path) if query.before_us is not None else ""
    return _table("Each row is a log as it came; shares count from the miner's start.", rows, query, newest, older)


async def steps_table(
    db: AsyncConnection, kind: RigKind, rig_id: int, query: LogQuery, path: str, *, until: datetime
) -> TableView:
    """A page of means over steps of time, newest first."""
    history = await rig_history(
        db, kind, rig_id, since=query.range.since, until=until, points=POINTS_AT_MOST, figures=wanted_figures(query)
    )
    rows = list(reversed(history_rows(history)))
    first = (query.page - 1) * ROWS_A_PAGE
    older = query.turned(page=query.page + 1).address(path) if len(rows) > first + ROWS_A_PAGE else ""
    newest = query.turned().address(path) if query.page > 1 else ""
    what = f"Each row is the mean of {step_text(history.step_s)}; shares are those of that time."
    return _table(what, rows[first : first + ROWS_A_PAGE], query, newest, older)


def wanted_figures(query: LogQuery) -> frozenset[str]:
    return figures_on(query.charts or LOG_CHARTS)


def history_rows(history: History) -> list[tuple[datetime, Readings]]:
    """By time; a gap has no row."""
    rows: list[tuple[datetime, Readings]] = []
    for at, moment in enumerate(history.times):
        readings = {
            (series.figure, series.device, series.algorithm, series.coin): value
            for series in history.series
            if (value := series.mean[at]) is not None
        }
        if readings:
            rows.append((moment, readings))
    return rows


def _table(what: str, rows: list[tuple[datetime, Readings]], query: LogQuery, newest: str, older: str) -> TableView:
    known = {series for _, readings in rows for series in readings}
    found = columns(known, figures=wanted_figures(query), devices=query.devices)
    shown, left_out = found[:COLUMNS_A_PAGE], max(0, len(found) - COLUMNS_A_PAGE)
    views = [LogRowView(at, [cell(series, readings.get(series)) for series in shown]) for at, readings in rows]
    return TableView(what, left_out, [column_label(series) for series in shown], views, newest, older)


def devices_in(readings: Collection[Series]) -> list[str]:
    devices = {series[1] for series in readings if series[1] and not series[1].startswith(SOURCE)}
    return sorted(devices, key=lambda device: (device != "cpu", device))


def step_text(step_s: int) -> str:
    for unit_s, unit in ((86_400, "d"), (HOUR_S, "h"), (MINUTE_S, "min")):
        if step_s % unit_s == 0:
            return f"{step_s // unit_s} {unit}"
    return f"{step_s} s"
