"""The pages about CPU/GPU rigs: index, rig page, their dialogs and forms."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
from litestar import Request, Response, get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect
from protocol.tokens import Token

from commander.live.operational_index import Health, RigState
from commander.live.rigs import LiveRigs
from commander.logs.charts import ChartsView, farm_charts, rig_charts, usual_query
from commander.logs.figures import RIG_CHARTS
from commander.rigs.domain import NAME_MAX_LENGTH, BadName, NameTaken, RigNotFound, enroll_command
from commander.rigs.kinds import RigKind
from commander.rigs.listing import IndexQuery, index_query, shown
from commander.rigs.navigation import columns
from commander.rigs.register import RigRegister
from commander.rigs.views import rig_sections, views_of
from commander.settings import Settings
from commander.web.shell import Page, Section, page

WRONG = 422
NOTHING_GIVEN: Mapping[str, str] = {}
Html = Response[str]
PageRequest = Request[Any, Any, Any]


class NameForm(msgspec.Struct, frozen=True):
    name: str = ""


@dataclass(frozen=True, slots=True)
class Dialog:
    """An open dialog: `kind` is add, edit, remove or token; `error` stands beside the field that holds `value`."""

    kind: str
    back: str
    rig_id: int = 0
    name: str = ""
    value: str = ""
    error: str = ""

    @property
    def suffix(self) -> str:
        """Tells the form's handler which page the dialog belongs to."""
        return "?from=index" if self.back.partition("?")[0] == "/cpu-gpu" else ""

    @property
    def url(self) -> str:
        """The address of the page with this dialog open."""
        rig = f"&rig={self.rig_id}" if self.suffix and self.rig_id else ""
        return f"{self.back}{'&' if '?' in self.back else '?'}dialog={self.kind}{rig}"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What is shown once: the token, alone and in finished commands."""

    name: str
    waiting: bool
    url: str
    token: str
    linux: str
    windows: str


@get("/", include_in_schema=False)
async def root() -> Redirect:
    return Redirect("/cpu-gpu", status_code=302)


@get("/cpu-gpu", include_in_schema=False)
async def index(request: PageRequest, live: NamedDependency[LiveRigs]) -> Html:
    parameters = _parameters(request)
    query = _query(parameters)
    dialog = _index_dialog(live, query, parameters)
    return index_page(live, query, dialog, removed=parameters.get("removed"), given=parameters)


@post("/cpu-gpu", include_in_schema=False)
async def add(
    data: URLEncodedBody[NameForm],
    live: NamedDependency[LiveRigs],
    register: NamedDependency[RigRegister],
    settings: NamedDependency[Settings],
) -> Html:
    try:
        rig, token = await register.add(data.name)
    except (BadName, NameTaken) as error:
        return index_page(live, IndexQuery(), Dialog("add", "/cpu-gpu", value=data.name, error=str(error)))
    return _enrolment_page(live, rig.id, token, settings)


@get("/cpu-gpu/{rig_id:int}", include_in_schema=False)
async def show(rig_id: FromPath[int], request: PageRequest, live: NamedDependency[LiveRigs]) -> Html:
    state = _find(live, rig_id)
    kind = request.query_params.get("dialog")
    dialog = _dialog(str(kind), f"/cpu-gpu/{rig_id}", state) if kind in ("edit", "remove", "token") else None
    return rig_page(live, state, dialog, given=_parameters(request))


@post("/cpu-gpu/{rig_id:int}/rename", include_in_schema=False)
async def rename(
    rig_id: FromPath[int],
    data: URLEncodedBody[NameForm],
    request: PageRequest,
    live: NamedDependency[LiveRigs],
    register: NamedDependency[RigRegister],
) -> Html | Redirect:
    from_index = request.query_params.get("from") == "index"
    back = "/cpu-gpu" if from_index else f"/cpu-gpu/{rig_id}"
    try:
        await register.rename(rig_id, data.name)
    except (BadName, NameTaken) as error:
        state = _find(live, rig_id)
        dialog = Dialog("edit", back, rig_id, state.name, data.name, str(error))
        return index_page(live, IndexQuery(), dialog) if from_index else rig_page(live, state, dialog)
    return Redirect(back, status_code=303)


@post("/cpu-gpu/{rig_id:int}/remove", include_in_schema=False)
async def remove(rig_id: FromPath[int], register: NamedDependency[RigRegister]) -> Redirect:
    rig = await register.remove(rig_id)
    return Redirect(IndexQuery().address(removed=rig.name), status_code=303)


@post("/cpu-gpu/{rig_id:int}/token", status_code=200, include_in_schema=False)
async def replace_token(
    rig_id: FromPath[int],
    live: NamedDependency[LiveRigs],
    register: NamedDependency[RigRegister],
    settings: NamedDependency[Settings],
) -> Html:
    token = await register.new_token(rig_id)
    return _enrolment_page(live, rig_id, token, settings)


HANDLERS: list[HTTPRouteHandler] = [root, index, add, show, rename, remove, replace_token]


def index_page(
    live: LiveRigs,
    query: IndexQuery,
    dialog: Dialog | None,
    *,
    removed: str | None = None,
    given: Mapping[str, str] = NOTHING_GIVEN,
) -> Html:
    """`given` is what the address says of the charts."""
    now = datetime.now(UTC)
    views = views_of(live)
    order = views.orders.fresh(query)
    query, ids = shown(order, query)
    wrong = dialog is not None and dialog.error
    about = Page(
        title="CPU/GPU rigs",
        section=Section.RIGS,
        live=query.address("/live", view="rigs"),
        seq=live.frames.stamp(),
        url=dialog.url if dialog and wrong else "",
    )
    return page(
        "rigs/index.html",
        about,
        status=WRONG if wrong else 200,
        rows=[views.rows.html(rig_id) for rig_id in ids],
        index_parts={**views.around(order, query), "totals": views.totals()},
        columns=columns(query),
        search=query.search,
        kept={name: value for name, value in query.but().parameters().items() if name != "q"},
        add_href=query.address(dialog="add"),
        removed=_removed_text(removed),
        dialog=dialog,
        charts=farm_charts(RigKind.CPU_GPU, live.index, usual_query(given, now=now), "/cpu-gpu", now=now),
    )


def rig_page(
    live: LiveRigs,
    state: RigState,
    dialog: Dialog | None,
    enrolment: Enrolment | None = None,
    *,
    given: Mapping[str, str] = NOTHING_GIVEN,
) -> Html:
    """`given` is what the address says of the charts."""
    wrong = dialog is not None and dialog.error
    url = dialog.url if dialog and wrong else f"/cpu-gpu/{state.id}" if enrolment else ""
    about = Page(
        title=state.name,
        section=Section.RIGS,
        live=f"/live?view=rig&rig={state.id}",
        seq=live.frames.stamp(),
        url=url,
    )
    return page(
        "rigs/rig.html",
        about,
        status=WRONG if wrong else 200,
        sections=rig_sections(state),
        charts=rig_charts_view(state, given),
        dialog=dialog,
        enrolment=enrolment,
    )


def rig_charts_view(state: RigState, given: Mapping[str, str]) -> ChartsView:
    now, path = datetime.now(UTC), f"/cpu-gpu/{state.id}"
    return rig_charts(RigKind.CPU_GPU, state, RIG_CHARTS, usual_query(given, now=now), path, now=now)


def _enrolment_page(live: LiveRigs, rig_id: int, token: Token, settings: Settings) -> Html:
    state, url, text = _find(live, rig_id), settings.public_url, str(token)
    command = enroll_command(url, token)
    enrolment = Enrolment(
        name=state.name,
        waiting=state.health is Health.WAITING,
        url=url,
        token=text,
        linux=command,
        windows=command.replace("cpu-gpu-sentry ", "cpu-gpu-sentry.exe ", 1),
    )
    return rig_page(live, state, None, enrolment)


def _index_dialog(live: LiveRigs, query: IndexQuery, parameters: Mapping[str, str]) -> Dialog | None:
    kind = parameters.get("dialog")
    if kind == "add":
        return Dialog("add", query.address())
    if kind in ("edit", "remove"):
        rig = parameters.get("rig", "")
        return _dialog(kind, query.address(), _find(live, int(rig) if rig.isdecimal() else 0))
    return None


def _dialog(kind: str, back: str, state: RigState) -> Dialog:
    return Dialog(kind, back, state.id, state.name, value=state.name)


def _parameters(request: PageRequest) -> dict[str, str]:
    return {name: str(value) for name, value in request.query_params.items()}


def _query(parameters: Mapping[str, str]) -> IndexQuery:
    """An address that somebody mistyped shows the usual index."""
    try:
        return index_query(parameters)
    except ValueError:
        return IndexQuery()


def _find(live: LiveRigs, rig_id: int) -> RigState:
    state = live.index.rigs.get(rig_id)
    if state is None:
        raise RigNotFound("There is no such rig; it may have been removed.")
    return state


def _removed_text(name: str | None) -> str:
    if name is None:
        return ""
    return f"{name[:NAME_MAX_LENGTH] or 'The rig'} was removed."
