"""The pages that copy a playbook to other rigs: choose a playbook, choose rigs, see what would happen, and the results.

Rigs are chosen by a selection, by ticks, or by both pages before this one: `rigs` in an address has their ids.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from litestar import Request, get, post
from litestar.datastructures import FormMultiDict
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from protocol import units

from commander.accounts.confirmations import Confirmations
from commander.accounts.domain import author_of
from commander.live.rig_state import RigState
from commander.live.rigs import LiveRigs
from commander.playbooks.actions import PlaybookActions
from commander.playbooks.alike import alike_playbooks
from commander.playbooks.copying import Copy, PlannedCopy
from commander.playbooks.domain import StoredPlaybook
from commander.playbooks.lookup import playbook_of_rig
from commander.playbooks.views import names_of
from commander.registry.sections import RIGS
from commander.selections.choice import chosen
from commander.selections.domain import BadSelection
from commander.selections.ranges import ids_in_ranges, ranges_text
from commander.web.ids import id_in
from commander.web.shell import Html, Page, page

WRONG = 422
SHOWN = 500  # rigs on a page
PLAYBOOKS_SHOWN = 200
LINE_SHOWN = 2_000
PageRequest = Request[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class CopyForm:
    """The rigs of one request: `select` is the line of a selection, `named` the ids in the address.

    `wanted` are the rigs that it is for: those that are ticked, or with `every` all that match.
    """

    select: str
    named: str
    wanted: list[RigState]
    matching: list[RigState]
    problem: str = ""


@get("/playbooks/copy", include_in_schema=False)
async def choose_playbook(request: PageRequest, live: NamedDependency[LiveRigs]) -> Html:
    """Lists the playbooks of the farm, one for all that are alike. The rigs are chosen already."""
    query = {name: str(value) for name, value in request.query_params.items()}
    form, search = _form_of(live, query.get("select", ""), query.get("rigs", "")), query.get("q", "")[:64]
    found = alike_playbooks(live.index.rigs.values(), search)
    about = Page(title="Copy a playbook", section=RIGS)
    return page(
        "playbooks/choose_playbook.html",
        about,
        status=WRONG if form.problem else 200,
        problem=form.problem,
        rigs=counted(len(form.matching)),
        kept={name: value for name, value in (("select", form.select), ("rigs", form.named)) if value},
        playbooks=found[:PLAYBOOKS_SHOWN],
        more=units.count_text(len(found) - PLAYBOOKS_SHOWN) if len(found) > PLAYBOOKS_SHOWN else "",
        search=search,
    )


@get("/cpu-gpu/{rig_id:int}/playbooks/{playbook_id:int}/copy", include_in_schema=False)
async def choose_rigs(
    rig_id: FromPath[int],
    playbook_id: FromPath[int],
    request: PageRequest,
    live: NamedDependency[LiveRigs],
    playbook_actions: NamedDependency[PlaybookActions],
) -> Html:
    playbook = await playbook_of_rig(playbook_actions, rig_id, playbook_id)
    query = request.query_params
    form = _form_of(live, str(query.get("select", "")), str(query.get("rigs", "")), without=rig_id)
    return _choice_page(live, playbook, form)


@post("/cpu-gpu/{rig_id:int}/playbooks/{playbook_id:int}/copies", status_code=200, include_in_schema=False)
async def copy(
    rig_id: FromPath[int],
    playbook_id: FromPath[int],
    request: PageRequest,
    live: NamedDependency[LiveRigs],
    playbook_actions: NamedDependency[PlaybookActions],
    confirmations: NamedDependency[Confirmations],
) -> Html:
    """Shows what each rig would get and, with `apply`, copies."""
    playbook, fields = await playbook_of_rig(playbook_actions, rig_id, playbook_id), await request.form()
    form = _posted_form(live, fields, without=rig_id)
    if not form.wanted:
        return _choice_page(live, playbook, form, error=form.problem or "Choose the rigs that are to have it too.")
    ids = [state.id for state in form.wanted]
    if "apply" in fields:
        confirmations.check_for_rigs(request.user, ids)
        copies = await playbook_actions.copy(playbook_id, ids, author=author_of(request.user))
        return _results_page(live, playbook, copies)
    return _preview_page(live, playbook, await playbook_actions.plan_copies(playbook_id, ids))


HANDLERS: list[HTTPRouteHandler] = [choose_playbook, choose_rigs, copy]


def _form_of(live: LiveRigs, select: str, named: str, *, without: int = 0) -> CopyForm:
    """Reads an address. Without rigs in it, all rigs are there to choose from. `without` has the playbook already."""
    try:
        matching = [state for state in chosen(live, select) if state.id != without]
    except BadSelection as error:
        return CopyForm(select[:LINE_SHOWN], named, [], [], str(error))
    ids = ids_in_ranges(named, live.index.rigs) if named else None
    if ids is not None:
        matching = [state for state in matching if state.id in ids]
    return CopyForm(select, named, matching if ids is not None else [], matching)


def _posted_form(live: LiveRigs, fields: FormMultiDict, *, without: int) -> CopyForm:
    form = _form_of(live, str(fields.get("select", "")), str(fields.get("rigs", "")), without=without)
    if "every" in fields:
        return CopyForm(form.select, form.named, form.matching, form.matching, form.problem)
    ticked = {each for text in fields.getall("rig", []) if (each := id_in(str(text))) is not None}
    wanted = [state for state in form.matching if state.id in ticked]
    return CopyForm(form.select, form.named, wanted, form.matching, form.problem)


def _choice_page(live: LiveRigs, playbook: StoredPlaybook, form: CopyForm, *, error: str = "") -> Html:
    at = f"{_address(playbook)}/copy"
    query = {name: value for name, value in (("select", form.select), ("rigs", form.named)) if value}
    wrong = bool(error or form.problem)
    return page(
        "playbooks/copy.html",
        _about(live, playbook, url=f"{at}?{urlencode(query)}" if wrong and query else at if wrong else ""),
        status=WRONG if wrong else 200,
        playbook=playbook,
        rig=live.find(playbook.rig_id),
        rigs=form.matching[:SHOWN],
        ticked={state.id for state in form.wanted},
        more=units.count_text(len(form.matching) - SHOWN) if len(form.matching) > SHOWN else "",
        matching=counted(len(form.matching)),
        kept=query,
        select=form.select,
        problem=form.problem,
        error="" if error == form.problem else error,
    )


def _preview_page(live: LiveRigs, playbook: StoredPlaybook, plan: Sequence[PlannedCopy]) -> Html:
    able, unable = [each for each in plan if each.wire], [each for each in plan if not each.wire]
    return page(
        "playbooks/copy_preview.html",
        _about(live, playbook, url=f"{_address(playbook)}/copy"),
        playbook=playbook,
        rig=live.find(playbook.rig_id),
        unable=unable[:SHOWN],
        able=able[:SHOWN],
        more=units.count_text(_left_out(unable, able)) if _left_out(unable, able) else "",
        copied=counted(len(able)),
        passed_over=counted(len(unable)) if unable else "",
        ids=ranges_text(each.rig_id for each in able),
        starts=not playbook.wire.paused,
    )


def _results_page(live: LiveRigs, playbook: StoredPlaybook, copies: Sequence[Copy]) -> Html:
    failed = [each for each in copies if each.playbook_id is None]
    done = [each for each in copies if each.playbook_id is not None]
    return page(
        "playbooks/copy_results.html",
        _about(live, playbook, url=f"{_address(playbook)}/copy", seq=""),
        playbook=playbook,
        rig=live.find(playbook.rig_id),
        copies=[*failed[:SHOWN], *done[:SHOWN]],
        more=units.count_text(_left_out(failed, done)) if _left_out(failed, done) else "",
        copied=counted(len(done)),
        failed=counted(len(failed)) if failed else "",
    )


def _left_out(*lists: Sequence[object]) -> int:
    return sum(max(0, len(each) - SHOWN) for each in lists)


def _about(live: LiveRigs, playbook: StoredPlaybook, *, url: str, seq: str | None = None) -> Page:
    stamp = live.frames.stamp() if seq is None else seq
    return Page(title=f"Copy {playbook.spec.name}", section=RIGS, live=names_of(playbook.rig_id), seq=stamp, url=url)


def _address(playbook: StoredPlaybook) -> str:
    return f"/cpu-gpu/{playbook.rig_id}/playbooks/{playbook.id}"


def counted(number: int) -> str:
    return f"{units.count_text(number)} {'rig' if number == 1 else 'rigs'}"
