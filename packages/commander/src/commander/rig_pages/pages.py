"""The pages about rigs of either kind: index, rig page, their dialogs and forms.

Each kind has these handlers under its own address, with its own `views` and `rig_actions`.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect
from protocol.tokens import Token

from commander.accounts.domain import author_of
from commander.alert_rules.learning import read_usual_of
from commander.db import Database
from commander.farm_tokens.actions import FarmTokenActions
from commander.history.uptime import read_uptime
from commander.live.rig_state import RigState
from commander.playbooks.sync import PlaybookSync
from commander.registry.kinds import RigKind
from commander.registry.names import NAME_MAX_LENGTH, BadName, NameTaken
from commander.rig_pages.chart_kinds import RIG_CHARTS
from commander.rig_pages.charts import farm_charts, rig_charts, usual_query
from commander.rig_pages.controls import index_controls
from commander.rig_pages.dialog import RigDialog
from commander.rig_pages.farm_token_dialog import farm_token_dialog
from commander.rig_pages.listing import IndexQuery, shown
from commander.rig_pages.live_views import RigViews
from commander.rig_pages.selected import selection_problem
from commander.rig_pages.uptime_view import UptimeView, uptime_view
from commander.rig_pages.usual_view import UsualView, usual_view
from commander.rigs.actions import RigActions
from commander.saved_views.actions import SavedViewActions
from commander.saved_views.store import SavedView
from commander.settings import Settings
from commander.tls import CertificateFacts
from commander.web.ids import id_in
from commander.web.shell import Html, Page, page
from commander.wheels.line import Installing, installing_of
from commander.wheels.store import WheelStore

WRONG = 422
NOTHING_GIVEN: Mapping[str, str] = {}
PageRequest = Request[Any, Any, Any]


class NameForm(msgspec.Struct, frozen=True):
    name: str = ""


@get("/", include_in_schema=False)
async def index(
    request: PageRequest,
    views: NamedDependency[RigViews],
    saved_views: NamedDependency[SavedViewActions],
    farm_token_actions: NamedDependency[FarmTokenActions],
) -> Html:
    parameters = _parameters(request)
    query = _query(views, parameters)
    saved = (await saved_views.all())[views.display.kind]
    dialog = _index_dialog(views, query, parameters)
    if parameters.get("dialog") == "add-many" and views.display.kind is RigKind.CPU_GPU:
        dialog = await farm_token_dialog(farm_token_actions, query.address())
    return index_page(views, query, dialog, removed=parameters.get("removed"), given=parameters, saved=saved)


@post("/", include_in_schema=False)
async def add(
    data: URLEncodedBody[NameForm],
    views: NamedDependency[RigViews],
    rig_actions: NamedDependency[RigActions],
    settings: NamedDependency[Settings],
    certificate: NamedDependency[CertificateFacts | None],
    wheel_store: NamedDependency[WheelStore],
) -> Html:
    path = views.display.path
    try:
        rig, token = await rig_actions.add(data.name)
    except (BadName, NameTaken) as error:
        return index_page(views, views.query({}), RigDialog("add", path, path, value=data.name, error=str(error)))
    return _enrolment_page(views, rig.id, token, installing_of(settings, certificate, wheel_store))


@get("/{rig_id:int}", include_in_schema=False)
async def show(
    rig_id: FromPath[int],
    request: PageRequest,
    views: NamedDependency[RigViews],
    playbook_sync: NamedDependency[PlaybookSync],
    database: NamedDependency[Database],
) -> Html:
    state, path = views.live.find(rig_id), views.display.path
    if state.playbooks:
        await playbook_sync.look_at_output(rig_id)
    kind = request.query_params.get("dialog")
    dialog = (
        _dialog(str(kind), path, f"{path}/{rig_id}", state) if kind in ("edit", "remove", "tags", "token") else None
    )
    uptime = await _uptime(database, views.display.kind, state)
    async with database.reading() as db:
        usual = usual_view(await read_usual_of(db, views.display.kind, rig_id))
    return rig_page(views, state, dialog, given=_parameters(request), uptime=uptime, usual=usual)


async def _uptime(database: Database, kind: RigKind, state: RigState) -> UptimeView | None:
    """Returns None for a rig that waits for its sentry."""
    if state.reported_at is None:
        return None
    async with database.reading() as db:
        uptime = await read_uptime(db, kind, state.id, added_at=state.added_at, now=datetime.now(UTC))
    return uptime_view(uptime, kind, state.id)


@post("/{rig_id:int}/rename", include_in_schema=False)
async def rename(
    rig_id: FromPath[int],
    data: URLEncodedBody[NameForm],
    request: PageRequest,
    views: NamedDependency[RigViews],
    rig_actions: NamedDependency[RigActions],
) -> Html | Redirect:
    path, from_index = views.display.path, request.query_params.get("from") == "index"
    back = path if from_index else f"{path}/{rig_id}"
    try:
        await rig_actions.rename(rig_id, data.name, author=author_of(request.user))
    except (BadName, NameTaken) as error:
        state = views.live.find(rig_id)
        dialog = RigDialog("edit", path, back, rig_id, state.name, data.name, str(error))
        return index_page(views, views.query({}), dialog) if from_index else rig_page(views, state, dialog)
    return Redirect(back, status_code=303)


@post("/{rig_id:int}/remove", include_in_schema=False)
async def remove(
    rig_id: FromPath[int], views: NamedDependency[RigViews], rig_actions: NamedDependency[RigActions]
) -> Redirect:
    rig = await rig_actions.remove(rig_id)
    return Redirect(views.query({}).address(removed=rig.name), status_code=303)


@post("/{rig_id:int}/token", status_code=200, include_in_schema=False)
async def replace_token(
    rig_id: FromPath[int],
    views: NamedDependency[RigViews],
    rig_actions: NamedDependency[RigActions],
    settings: NamedDependency[Settings],
    certificate: NamedDependency[CertificateFacts | None],
    wheel_store: NamedDependency[WheelStore],
) -> Html:
    token = await rig_actions.new_token(rig_id)
    return _enrolment_page(views, rig_id, token, installing_of(settings, certificate, wheel_store))


HANDLERS: list[HTTPRouteHandler] = [index, add, show, rename, remove, replace_token]


def index_page(
    views: RigViews,
    query: IndexQuery,
    dialog: RigDialog | None,
    *,
    removed: str | None = None,
    given: Mapping[str, str] = NOTHING_GIVEN,
    saved: Sequence[SavedView] = (),
) -> Html:
    """`given` is what the address says of the charts."""
    now = datetime.now(UTC)
    display = views.display
    order = views.orders.fresh(query)
    query, places = shown(order, query)
    rows = views.rows_of(query)
    problem = selection_problem(query.select, display.kind)
    wrong = problem or (dialog is not None and dialog.error)
    about = Page(
        title=display.title,
        section=display.section,
        live=query.address("/live", view=f"{display.view}s"),
        seq=views.live.frames.stamp(),
        url=dialog.url if dialog and dialog.error else "",
    )
    return page(
        "rig_pages/index.html",
        about,
        status=WRONG if wrong else 200,
        display=display,
        large={place: [rows.of(rig_id).utf8 for rig_id in ids] for place, ids in places.items()},
        index_parts={
            **views.around(order, query),
            "totals": views.totals(),
            "troubles": views.troubles(),
            "approvals": views.approvals(),
        },
        **index_controls(query, display, saved),
        problem=problem,
        removed=_removed_text(removed),
        dialog=dialog,
        charts=farm_charts(display.kind, views.index, usual_query(given, now=now), display.path, now=now),
    )


def rig_page(
    views: RigViews,
    state: RigState,
    dialog: RigDialog | None,
    enrolment: object = None,
    *,
    given: Mapping[str, str] = NOTHING_GIVEN,
    uptime: UptimeView | None = None,
    usual: UsualView | None = None,
) -> Html:
    """`given` is what the address says of the charts."""
    now = datetime.now(UTC)
    display = views.display
    wrong = dialog is not None and dialog.error
    path = f"{display.path}/{state.id}"
    url = dialog.url if dialog and wrong else path if enrolment else ""
    about = Page(
        title=state.name,
        section=display.section,
        live=f"/live?view={display.view}&rig={state.id}",
        seq=views.live.frames.stamp(),
        url=url,
    )
    return page(
        "rig_pages/rig.html",
        about,
        status=WRONG if wrong else 200,
        display=display,
        sections=views.sections(state),
        charts=rig_charts(display.kind, state, RIG_CHARTS, usual_query(given, now=now), path, now=now),
        dialog=dialog,
        enrolment=enrolment,
        uptime=uptime,
        usual=usual,
    )


def _enrolment_page(views: RigViews, rig_id: int, token: Token, installing: Installing) -> Html:
    state = views.live.find(rig_id)
    return rig_page(views, state, None, views.display.enrolment(state, installing, token))


def _index_dialog(views: RigViews, query: IndexQuery, parameters: Mapping[str, str]) -> RigDialog | None:
    kind, path = parameters.get("dialog"), views.display.path
    if kind in ("add", "view", "view-remove"):
        return RigDialog(kind, path, query.address(), view_id=id_in(parameters.get("view", "")) or 0)
    if kind in ("edit", "remove", "tags"):
        return _dialog(kind, path, query.address(), views.live.find(id_in(parameters.get("rig", "")) or 0))
    return None


def _dialog(kind: str, path: str, back: str, state: RigState) -> RigDialog:
    value = ", ".join(state.tags) if kind == "tags" else state.name
    return RigDialog(kind, path, back, state.id, state.name, value)


def _parameters(request: PageRequest) -> dict[str, str]:
    chosen = {"columns": ",".join(request.query_params.getall("column"))} if "column" in request.query_params else {}
    return {name: str(value) for name, value in request.query_params.items()} | chosen


def _query(views: RigViews, parameters: Mapping[str, str]) -> IndexQuery:
    """An address that somebody mistyped shows the usual index."""
    try:
        return views.query(parameters)
    except ValueError:
        return views.query({})


def _removed_text(name: str | None) -> str:
    if name is None:
        return ""
    return f"{name[:NAME_MAX_LENGTH] or 'The rig'} was removed."
