"""Playbooks of the rigs that are ticked: pause and resume them, or copy one to all of these rigs."""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlencode

from litestar import post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.response import Redirect
from protocol import units

from commander.accounts.domain import author_of
from commander.live.rig_state import RigState
from commander.playbooks.actions import PlaybookActions
from commander.registry.kinds import RigKind
from commander.rig_pages.chosen_rigs import ChosenRigs, chosen_rigs, names_text, selection_of_all
from commander.rig_pages.dialog import RigDialog
from commander.rig_pages.live_views import RigViews
from commander.rig_pages.navigation import counted
from commander.rig_pages.pages import PageRequest, index_page
from commander.web.shell import Html


@dataclass(frozen=True, slots=True)
class ConfirmDialog(RigDialog):
    """Says what would happen to the chosen rigs; `action` is where its form goes, `rigs` names the rigs."""

    title: str = ""
    action: str = ""
    button: str = ""
    text: str = ""
    rigs: str = ""
    ids: str = ""


@post("/cpu-gpu/pause", status_code=200, include_in_schema=False)
async def pause(
    request: PageRequest, views: NamedDependency[RigViews], playbook_actions: NamedDependency[PlaybookActions]
) -> Html | Redirect:
    return await _set_paused(request, views, playbook_actions, paused=True)


@post("/cpu-gpu/resume", status_code=200, include_in_schema=False)
async def resume(
    request: PageRequest, views: NamedDependency[RigViews], playbook_actions: NamedDependency[PlaybookActions]
) -> Html | Redirect:
    return await _set_paused(request, views, playbook_actions, paused=False)


@post("/cpu-gpu/copy", include_in_schema=False)
async def copy_to_chosen(request: PageRequest, views: NamedDependency[RigViews]) -> Redirect:
    """Goes to the page that chooses a playbook, with the rigs that are ticked; all that the page lists are named by
    their selection."""
    form = await request.form()
    chosen = chosen_rigs(views, form)
    select = selection_of_all(form, chosen)
    asked = {"select": select} if select else {"rigs": chosen.text}
    return Redirect(f"/playbooks/copy?{urlencode(asked)}", status_code=303)


HANDLERS: list[HTTPRouteHandler] = [pause, resume, copy_to_chosen]


async def _set_paused(
    request: PageRequest, views: RigViews, playbook_actions: PlaybookActions, *, paused: bool
) -> Html | Redirect:
    """Shows what would happen and, with `apply`, does it."""
    form = await request.form()
    chosen = chosen_rigs(views, form)
    states = [views.index.rigs[rig_id] for rig_id in chosen.ids]
    if "apply" not in form:
        return index_page(views, chosen.query, pause_dialog(chosen, states, paused=paused))
    ids = [playbook_id for state in states for playbook_id in changing(state, paused=paused)]
    await playbook_actions.pause_many(ids, paused, author=author_of(request.user))
    return Redirect(chosen.query.address(), status_code=303)


def changing(state: RigState, *, paused: bool) -> list[int]:
    """Returns the ids of the playbooks that a pause, or its end, changes."""
    return [playbook.id for playbook in state.playbooks if playbook.wire.paused is not paused]


def pause_dialog(chosen: ChosenRigs, states: Iterable[RigState], *, paused: bool) -> ConfirmDialog:
    verb, effect = ("Pause", "Their miners stop") if paused else ("Resume", "Their miners start")
    numbers = {state.name: len(changing(state, paused=paused)) for state in states}
    named = [name for name, number in numbers.items() if number]
    rigs, playbooks = counted(len(named), RigKind.CPU_GPU), sum(numbers.values())
    what = f"{units.count_text(playbooks)} {'playbook' if playbooks == 1 else 'playbooks'} on {rigs}"
    nothing = "None of the chosen rigs has a playbook that this would change."
    return ConfirmDialog(
        "chosen-confirm",
        "/cpu-gpu",
        chosen.query.address(),
        title=f"{verb} {what}?" if named else f"Nothing to {verb.lower()}",
        action=f"/cpu-gpu/{verb.lower()}",
        button=f"{verb} {what}" if named else "Close",
        text=f"{effect} within seconds where the sentry is online." if named else nothing,
        rigs=names_text(named),
        ids=chosen.text if named else "",
    )
