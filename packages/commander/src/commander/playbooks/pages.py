"""The pages of a rig's playbooks: the list, and one playbook with its revisions."""

from typing import Any

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response import Redirect

from commander.accounts.confirmations import Confirmations
from commander.accounts.domain import author_of
from commander.live.rigs import LiveRigs
from commander.playbooks.actions import PlaybookActions
from commander.playbooks.differences import diff
from commander.playbooks.domain import BadPlaybook, PlaybookNotFound, Revision, StoredPlaybook
from commander.playbooks.lookup import playbook_of_rig
from commander.playbooks.sync import PlaybookSync
from commander.playbooks.views import list_sections, page_sections, playbook_view
from commander.registry.sections import RIGS
from commander.settings import Settings
from commander.signing import unsigned_text
from commander.web.ids import id_in
from commander.web.shell import Html, Page, page

WRONG = 422
PageRequest = Request[Any, Any, Any]


@get("/cpu-gpu/{rig_id:int}/playbooks", include_in_schema=False)
async def show_all(
    rig_id: FromPath[int],
    request: PageRequest,
    live: NamedDependency[LiveRigs],
    settings: NamedDependency[Settings],
) -> Html:
    state, query = live.find(rig_id), request.query_params
    playbook_text = str(query.get("playbook", "")) if query.get("dialog") == "remove" else ""
    removing = None if (asked_id := id_in(playbook_text)) is None else playbook_view(state, asked_id)
    about = Page(
        title=f"Playbooks of {state.name}",
        section=RIGS,
        live=f"/live?view=playbooks&rig={rig_id}",
        seq=live.frames.stamp(),
    )
    return page(
        "playbooks/list.html",
        about,
        rig=state,
        sections=list_sections(state),
        removing=removing,
        removed="removed" in query,
        unsigned=unsigned_text(settings),
    )


@get("/cpu-gpu/{rig_id:int}/playbooks/{playbook_id:int}", include_in_schema=False)
async def show(
    rig_id: FromPath[int],
    playbook_id: FromPath[int],
    request: PageRequest,
    live: NamedDependency[LiveRigs],
    playbook_actions: NamedDependency[PlaybookActions],
    playbook_sync: NamedDependency[PlaybookSync],
    settings: NamedDependency[Settings],
) -> Html:
    playbook = await playbook_of_rig(playbook_actions, rig_id, playbook_id)
    query = request.query_params
    return await _playbook_page(
        live,
        playbook_actions,
        playbook_sync,
        playbook,
        settings,
        looking_at=id_in(str(query.get("revision", ""))),
        removing=query.get("dialog") == "remove",
    )


@post("/cpu-gpu/{rig_id:int}/playbooks/{playbook_id:int}/{action:str}", include_in_schema=False)
async def do(
    rig_id: FromPath[int],
    playbook_id: FromPath[int],
    action: FromPath[str],
    request: PageRequest,
    playbook_actions: NamedDependency[PlaybookActions],
) -> Redirect:
    """Pause, resume, up, down, remove; afterwards the list is shown."""
    await playbook_of_rig(playbook_actions, rig_id, playbook_id)
    if action in ("pause", "resume"):
        await playbook_actions.pause(playbook_id, action == "pause", author=author_of(request.user))
    elif action in ("up", "down"):
        await _move(playbook_actions, rig_id, playbook_id, -1 if action == "up" else 1)
    elif action == "remove":
        await playbook_actions.remove(playbook_id)
        return Redirect(f"/cpu-gpu/{rig_id}/playbooks?removed=yes", status_code=303)
    else:
        raise PlaybookNotFound("Nothing of that name can be done with a playbook.")
    return Redirect(f"/cpu-gpu/{rig_id}/playbooks", status_code=303)


@post("/cpu-gpu/{rig_id:int}/playbooks/{playbook_id:int}/revisions/{revision:int}/use", include_in_schema=False)
async def use_again(
    rig_id: FromPath[int],
    playbook_id: FromPath[int],
    revision: FromPath[int],
    request: PageRequest,
    live: NamedDependency[LiveRigs],
    playbook_actions: NamedDependency[PlaybookActions],
    playbook_sync: NamedDependency[PlaybookSync],
    confirmations: NamedDependency[Confirmations],
    settings: NamedDependency[Settings],
) -> Html | Redirect:
    playbook = await playbook_of_rig(playbook_actions, rig_id, playbook_id)
    confirmations.check_for_rigs(request.user, [rig_id])
    try:
        await playbook_actions.use_again(playbook_id, revision, author=author_of(request.user))
    except BadPlaybook as error:
        wrong = f"Revision {revision} can't be used again. {error}"
        return await _playbook_page(
            live, playbook_actions, playbook_sync, playbook, settings, looking_at=revision, wrong=wrong
        )
    return Redirect(f"/cpu-gpu/{rig_id}/playbooks/{playbook_id}", status_code=303)


HANDLERS: list[HTTPRouteHandler] = [show_all, show, do, use_again]


async def _move(playbook_actions: PlaybookActions, rig_id: int, playbook_id: int, by: int) -> None:
    ids = [each.id for each in await playbook_actions.of_rig(rig_id)]
    at = ids.index(playbook_id)
    to = min(max(at + by, 0), len(ids) - 1)
    ids[at], ids[to] = ids[to], ids[at]
    await playbook_actions.order(rig_id, ids)


async def _playbook_page(
    live: LiveRigs,
    playbook_actions: PlaybookActions,
    playbook_sync: PlaybookSync,
    playbook: StoredPlaybook,
    settings: Settings,
    *,
    looking_at: int | None = None,
    removing: bool = False,
    wrong: str = "",
) -> Html:
    await playbook_sync.look_at_output(playbook.rig_id)
    state, revisions = live.find(playbook.rig_id), await playbook_actions.revisions(playbook.id)
    at = f"/cpu-gpu/{state.id}/playbooks/{playbook.id}"
    about = Page(
        title=playbook.spec.name,
        section=RIGS,
        live=f"/live?view=playbooks&rig={state.id}&playbook={playbook.id}",
        seq=live.frames.stamp(),
        url=at if wrong else "",
    )
    return page(
        "playbooks/playbook.html",
        about,
        status=WRONG if wrong else 200,
        rig=state,
        playbook=playbook,
        sections=page_sections(state, playbook.id),
        revisions=revisions,
        looking_at=_revision(revisions, looking_at),
        changes=_changes(revisions, looking_at),
        removing=removing,
        wrong=wrong,
        unsigned=unsigned_text(settings),
    )


def _revision(revisions: list[Revision], number: int | None) -> Revision | None:
    return next((each for each in revisions if each.revision == number), None)


def _changes(revisions: list[Revision], number: int | None) -> list[tuple[str, str]]:
    """The lines that a revision changed, with what each is: added, gone, place or same."""
    after = _revision(revisions, number)
    if after is None:
        return []
    before = _revision(revisions, after.revision - 1)
    kinds = {"+": "added", "-": "gone", "@": "place"}
    return [(kinds.get(line[:1], "same"), line) for line in diff(before, after)]
