"""The section of `/alerts` with the maintenance, and the forms that add and end it."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec
from litestar import Request, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect
from protocol import units

from commander.accounts.domain import author_of
from commander.db import Database
from commander.live.rigs import Lives
from commander.live.source import Query
from commander.maintenance.actions import MaintenanceActions
from commander.maintenance.domain import BadMaintenance, Maintenance, MaintenanceNotFound
from commander.notifications.alerts_page import HOME, AlertsPage, AlertsPart, OpenDialog
from commander.selections.choice import chosen
from commander.selections.domain import BadSelection
from commander.web.ids import id_in
from commander.web.moments import WrongRange, field_text, moment_in
from commander.web.shell import Html

PART, POSITION = "maintenance", 30
TEMPLATE = "maintenance/maintenance.html"
PATH = f"{HOME}/maintenance"
USUAL = timedelta(hours=2)
PageRequest = Request[Any, Any, Any]


class MaintenanceForm(msgspec.Struct, frozen=True, rename={"since": "from", "until": "to"}):
    """The fields as a person fills them in; times are in UTC. An empty `since` means from now on."""

    select: str = ""
    since: str = ""
    until: str = ""
    reason: str = ""


class MaintenanceRow(NamedTuple):
    """A line of the table; `rigs` is how many rigs match now."""

    id: int
    select: str
    rigs: str
    since: datetime
    until: datetime
    reason: str
    made_by: str
    is_on: bool


@dataclass(frozen=True, slots=True)
class MaintenanceDialog:
    """`kind` is add or end."""

    kind: str
    form: MaintenanceForm
    name: str = ""
    maintenance_id: int = 0
    errors: Mapping[str, str] = field(default_factory=dict)

    @property
    def since(self) -> str:
        return self.form.since

    @property
    def until(self) -> str:
        return self.form.until

    @property
    def error_field(self) -> str:
        return next((name for name in ("from", "to") if name in self.errors), "")

    @property
    def error(self) -> str:
        return self.errors.get(self.error_field, "")

    @property
    def url(self) -> str:
        return f"{HOME}?dialog={self.kind}-maintenance"


def maintenance_part(actions: MaintenanceActions, database: Database, lives: Lives) -> AlertsPart:
    """Returns the section, for the page of alerts."""

    async def load(query: Query) -> list[MaintenanceRow]:
        now = await database.now()
        return [_row(each, lives, now) for each in await actions.current()]

    async def find_dialog(query: Query) -> MaintenanceDialog | None:
        kind, _, what = query.get("dialog", "").partition("-")
        if what != "maintenance" or kind not in ("add", "end"):
            return None
        if kind == "add":
            now = await database.now()
            form = MaintenanceForm(select=query.get("select", ""), until=field_text(now + USUAL))
            return MaintenanceDialog("add", form)
        wanted = id_in(query.get("maintenance", ""))
        found = next((each for each in await actions.current() if each.id == wanted), None)
        return found and MaintenanceDialog("end", MaintenanceForm(), found.select or "all rigs", found.id)

    return AlertsPart(PART, POSITION, TEMPLATE, load, find_dialog)


@post(PATH, include_in_schema=False)
async def add(
    data: URLEncodedBody[MaintenanceForm],
    request: PageRequest,
    maintenance_actions: NamedDependency[MaintenanceActions],
    alerts_page: NamedDependency[AlertsPage],
) -> Html | Redirect:
    try:
        since, until = moment_in(data.since, "from"), moment_in(data.until, "to")
        if until is None:
            raise WrongRange("to", "Enter when the maintenance ends.")
        by = author_of(request.user)
        await maintenance_actions.add(data.select, since=since, until=until, reason=data.reason, by=by)
    except WrongRange as error:
        errors = {error.field: str(error)}
    except BadMaintenance as error:
        errors = {"to": str(error)}
    except BadSelection as error:
        errors = {"select": str(error)}
    else:
        return Redirect(HOME, status_code=303)
    dialog = MaintenanceDialog("add", data, errors=errors)
    return await alerts_page.show({}, OpenDialog(PART, dialog, dialog.url, is_wrong=True))


@post(PATH + "/{maintenance_id:int}/end", include_in_schema=False)
async def end(maintenance_id: FromPath[int], maintenance_actions: NamedDependency[MaintenanceActions]) -> Redirect:
    with suppress(MaintenanceNotFound):  # somebody else was faster
        await maintenance_actions.remove(maintenance_id)
    return Redirect(HOME, status_code=303)


HANDLERS: list[HTTPRouteHandler] = [add, end]


def _row(each: Maintenance, lives: Lives, now: datetime) -> MaintenanceRow:
    return MaintenanceRow(
        id=each.id,
        select=each.select or "all rigs",
        rigs=_count(each.select, lives),
        since=each.since,
        until=each.until,
        reason=each.reason,
        made_by=each.made_by,
        is_on=each.since <= now < each.until,
    )


def _count(select: str, lives: Lives) -> str:
    try:
        return units.count_text(sum(len(chosen(live, select)) for live in lives.values()))
    except BadSelection:
        return units.UNKNOWN
