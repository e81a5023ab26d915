"""The log pages of both kinds of rig: charts, the same as a table, and as a file."""

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from litestar import Request, get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response import Stream

from commander.db import Database
from commander.live.rig_state import Health, RigState
from commander.playbooks.sync import PlaybookSync
from commander.registry.kinds import RigKind
from commander.rig_pages.chart_kinds import LOG_CHARTS
from commander.rig_pages.charts import readings_of, rig_charts
from commander.rig_pages.csv import csv_of_logs, csv_of_steps
from commander.rig_pages.kind import Display
from commander.rig_pages.live_views import RigViews
from commander.rig_pages.log_form import choices, range_form
from commander.rig_pages.log_query import (
    LogQuery,
    Span,
    chosen,
    chosen_devices,
    last,
    page_number,
    range_of,
)
from commander.rig_pages.log_table import TableView, devices_in, is_raw, raw_table, steps_table
from commander.settings import Settings
from commander.web.moments import WrongRange
from commander.web.shell import Html, Page, page

WRONG = 422
DIGITS_OF_US = 19
PageRequest = Request[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class LogPageRequest:
    """One look at a log page. `wrong`: the range makes no sense, and `query` holds the usual one instead."""

    display: Display
    state: RigState
    query: LogQuery
    now: datetime
    given: Mapping[str, str]
    wrong: WrongRange | None = None

    @property
    def kind(self) -> RigKind:
        return self.display.kind

    @property
    def path(self) -> str:
        return f"{self.display.path}/{self.state.id}/log"


@get("/{rig_id:int}/log", include_in_schema=False)
async def show_log(
    rig_id: FromPath[int],
    request: PageRequest,
    views: NamedDependency[RigViews],
    database: NamedDependency[Database],
    settings: NamedDependency[Settings],
    playbook_sync: NamedDependency[PlaybookSync],
) -> Html:
    asked = _asked(request, views.display, views.live.find(rig_id))
    if asked.state.playbooks:
        await playbook_sync.look_at_output(rig_id)
    table = None if asked.wrong else await _table(database, asked, _raw_kept(settings))
    return _log_page(views, asked, table)


@get("/{rig_id:int}/log.csv", include_in_schema=False)
async def download_log(
    rig_id: FromPath[int],
    request: PageRequest,
    views: NamedDependency[RigViews],
    database: NamedDependency[Database],
    settings: NamedDependency[Settings],
) -> Stream:
    asked = _asked(request, views.display, views.live.find(rig_id))
    if asked.wrong:
        raise asked.wrong
    headers = {"Content-Disposition": f'attachment; filename="{_file_name(asked)}"', "Cache-Control": "no-store"}
    return Stream(_lines(database, asked, _raw_kept(settings)), media_type="text/csv", headers=headers)


HANDLERS: list[HTTPRouteHandler] = [show_log, download_log]


def _asked(request: PageRequest, display: Display, state: RigState) -> LogPageRequest:
    now, given = datetime.now(UTC), {name: str(value) for name, value in request.query_params.items()}
    try:
        wanted, wrong = range_of(given, now=now), None
    except WrongRange as error:
        wanted, wrong = last(Span.DAY, now=now), error
    before = given.get("before", "")
    query = LogQuery(
        wanted,
        charts=chosen(_all(request, "figures"), LOG_CHARTS),
        devices=chosen_devices(_all(request, "devices")),
        page=page_number(given.get("page", "")),
        before_us=int(before) if before.isdecimal() and len(before) < DIGITS_OF_US else None,
    )
    return LogPageRequest(display, state, query, now, given, wrong)


async def _table(database: Database, asked: LogPageRequest, raw_kept: timedelta) -> TableView:
    query, until = asked.query, min(asked.query.range.until, asked.now)
    async with database.reading() as db:
        if is_raw(query, now=asked.now, raw_kept=raw_kept):
            return await raw_table(db, asked.kind, asked.state.id, query, asked.path)
        return await steps_table(db, asked.kind, asked.state.id, query, asked.path, until=until)


def _lines(database: Database, asked: LogPageRequest, raw_kept: timedelta) -> AsyncIterator[str]:
    query, until = asked.query, min(asked.query.range.until, asked.now)
    write = csv_of_logs if is_raw(query, now=asked.now, raw_kept=raw_kept) else csv_of_steps
    return write(database, asked.kind, asked.state.id, query, until=until)


def _log_page(views: RigViews, asked: LogPageRequest, table: TableView | None) -> Html:
    display, state, query, path = asked.display, asked.state, asked.query, asked.path
    about = Page(
        title=f"History of {state.name}",
        section=display.section,
        live=f"/live?view={display.view}-log&rig={state.id}",
        seq=views.live.frames.stamp(),
    )
    return page(
        "rig_pages/log.html",
        about,
        status=WRONG if asked.wrong else 200,
        display=display,
        sections=views.log_sections(state),
        charts=rig_charts(display.kind, state, LOG_CHARTS, query, path, now=asked.now, along=True),
        form=range_form(query, asked.wrong, asked.given),
        choices=choices(query, devices_in(readings_of(display.kind, state))),
        table=table,
        waiting=state.health is Health.WAITING,
        as_of=asked.now,
        path=path,
        csv=query.turned().address(f"{path}.csv"),
    )


def _file_name(asked: LogPageRequest) -> str:
    """A header holds ASCII only."""
    name = re.sub(r"[^\w.-]+", "_", asked.state.name, flags=re.ASCII).strip("_")
    return f"{name or asked.state.id}-log.csv"


def _all(request: PageRequest, name: str) -> list[str]:
    return [str(value) for value in request.query_params.getall(name, [])]


def _raw_kept(settings: Settings) -> timedelta:
    return timedelta(hours=settings.raw_kept_h)
