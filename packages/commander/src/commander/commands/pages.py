"""The pages of commands: the list, one command, a rig's result, and the forms that make a command."""

from collections.abc import Mapping
from typing import Any

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response import Redirect
from protocol.command_messages import CommandAction, FetchedLog, Finding, Severity

from commander.accounts.domain import RoleTooLow, author_of, check_role, is_enough
from commander.commands import actions
from commander.commands.actions import Notify, Order
from commander.commands.api import check_may_repeat, result_of
from commander.commands.domain import NothingToRetry, checked_action, least_role_for
from commander.commands.forms import CommandForm, form_of, options
from commander.commands.source import CommandSource
from commander.commands.targets import chosen_rigs
from commander.commands.updates import versions
from commander.commands.views import (
    RIGS_SHOWN,
    command_fragments,
    command_view,
    list_rows,
    rigs_of,
)
from commander.db import Database
from commander.live.rigs import LiveRigs
from commander.playbooks.views import names_of
from commander.problems import CommanderError
from commander.registry.names import name_key
from commander.registry.sections import RIGS
from commander.web.shell import Html, Page, Section, page
from commander.wheels.store import WheelStore

SECTION = Section("Commands", "/commands", icon="M4 6l6 6-6 6M12 19h8")
WRONG = 422
PageRequest = Request[Any, Any, Any]
SEVERITIES = {
    Severity.CRITICAL: ("Critical", "bad"),
    Severity.WARNING: ("Warning", "warning"),
    Severity.GOOD: ("Good", "good"),
    Severity.UNKNOWN: ("Unknown", "idle"),
}
LOG_TITLES = {"sentry": "The sentry's log", "kernel": "The kernel's log"}


@get("/commands", include_in_schema=False)
async def show_all(database: NamedDependency[Database], command_source: NamedDependency[CommandSource]) -> Html:
    about = Page(title="Commands", section=SECTION, live="/live?view=commands", seq=command_source.stamp())
    return page("commands/list.html", about, rows=await list_rows(database))


@get("/commands/{command_id:int}", include_in_schema=False)
async def show(
    command_id: FromPath[int],
    database: NamedDependency[Database],
    command_source: NamedDependency[CommandSource],
) -> Html:
    return await _command_page(database, command_source, command_id)


@post("/commands/{command_id:int}/cancel", include_in_schema=False)
async def stop(
    command_id: FromPath[int],
    request: PageRequest,
    database: NamedDependency[Database],
    notify_commands: NamedDependency[Notify],
) -> Redirect:
    await actions.cancel(database, notify_commands, command_id, by=author_of(request.user))
    return Redirect(f"/commands/{command_id}", status_code=303)


@post("/commands/{command_id:int}/retry", include_in_schema=False)
async def retry(
    command_id: FromPath[int],
    request: PageRequest,
    command_source: NamedDependency[CommandSource],
    database: NamedDependency[Database],
    notify_commands: NamedDependency[Notify],
) -> Html | Redirect:
    await check_may_repeat(database, command_id, request.user)
    try:
        await actions.retry(database, notify_commands, command_id)
    except NothingToRetry as error:
        return await _command_page(database, command_source, command_id, wrong=str(error))
    return Redirect(f"/commands/{command_id}", status_code=303)


@get("/commands/{command_id:int}/rigs/{rig_id:int}", include_in_schema=False)
async def show_result(command_id: FromPath[int], rig_id: FromPath[int], database: NamedDependency[Database]) -> Html:
    shown, result = await rigs_of(database, command_id), await result_of(database, command_id, rig_id)
    command = command_view(shown.now)
    state = next((each.state for each in shown.targets if each.rig_id == rig_id), None)
    about = Page(title=f"{command.title}: {result.name}", section=SECTION, live=names_of(rig_id))
    return page(
        "commands/result.html",
        about,
        command=command,
        result=result,
        findings=[_finding(each) for each in result.findings],
        logs=[{"title": _log_title(each), "text": "\n".join(each.lines)} for each in result.logs],
        state=state,
        file_name=f"{command.title.lower().replace(' ', '-')}-{result.name}-{command_id}",
    )


@get("/commands/new", include_in_schema=False)
async def choose(
    request: PageRequest, live: NamedDependency[LiveRigs], wheel_store: NamedDependency[WheelStore]
) -> Html:
    query = {name: str(value) for name, value in request.query_params.items()}
    return _form_page(request, live, wheel_store, form_of(query))


@post("/commands", include_in_schema=False)
async def make(
    request: PageRequest,
    live: NamedDependency[LiveRigs],
    database: NamedDependency[Database],
    notify_commands: NamedDependency[Notify],
    wheel_store: NamedDependency[WheelStore],
) -> Html | Redirect:
    fields = {name: str(value) for name, value in (await request.form()).items()}
    form = form_of(fields)
    try:
        order = await form.order(live, wheel_store, made_by=author_of(request.user))
        check_role(request.user, least_role_for(order.action))
        made = await actions.make_command(database, notify_commands, order)
    except RoleTooLow:
        raise
    except CommanderError as error:
        errors = {each.field: each.message for each in error.field_errors()} or {"form": str(error)}
        return _form_page(request, live, wheel_store, form, errors=errors)
    return Redirect(f"/commands/{made.id}", status_code=303)


@get("/cpu-gpu/{rig_id:int}/shutdown", include_in_schema=False)
async def ask_shutdown(rig_id: FromPath[int], live: NamedDependency[LiveRigs]) -> Html:
    return _shutdown_page(live, rig_id)


@post("/cpu-gpu/{rig_id:int}/shutdown", include_in_schema=False)
async def shut_down(
    rig_id: FromPath[int],
    request: PageRequest,
    live: NamedDependency[LiveRigs],
    database: NamedDependency[Database],
    notify_commands: NamedDependency[Notify],
) -> Html | Redirect:
    """Needs the rig's name."""
    typed, name = str((await request.form()).get("name", "")), live.find(rig_id).name
    if name_key(typed.strip()) != name_key(name):
        return _shutdown_page(live, rig_id, value=typed, error=f"Type the rig's name: {name}.")
    return await _send(database, notify_commands, request, CommandAction.SHUTDOWN, rig_id)


@post("/cpu-gpu/{rig_id:int}/commands", include_in_schema=False)
async def command_rig(
    rig_id: FromPath[int],
    request: PageRequest,
    database: NamedDependency[Database],
    notify_commands: NamedDependency[Notify],
) -> Redirect:
    """One action for one rig, from the menu of its page."""
    action = checked_action(str((await request.form()).get("action", "")))
    if action is CommandAction.SHUTDOWN:
        return Redirect(f"/cpu-gpu/{rig_id}/shutdown", status_code=303)
    if action is CommandAction.UPDATE_SENTRY:
        return Redirect(f"/commands/new?action={action}&rigs={rig_id}", status_code=303)
    check_role(request.user, least_role_for(action))
    return await _send(database, notify_commands, request, action, rig_id)


HANDLERS: list[HTTPRouteHandler] = [
    *(show_all, choose, make, show, stop, retry, show_result, ask_shutdown, shut_down, command_rig),
]


async def _send(
    database: Database, notify: Notify, request: PageRequest, action: CommandAction, rig_id: int
) -> Redirect:
    made = await actions.make_command(database, notify, Order(action, [rig_id], author_of(request.user)))
    return Redirect(f"/commands/{made.id}", status_code=303)


async def _command_page(database: Database, source: CommandSource, command_id: int, *, wrong: str = "") -> Html:
    seq = source.stamp()
    view, fragments = (
        command_view((await rigs_of(database, command_id)).now),
        await command_fragments(database, command_id),
    )
    about = Page(
        title=f"{view.title}: {view.rigs}",
        section=SECTION,
        live=f"/live?view=command&command={command_id}",
        seq=seq,
        url=f"/commands/{command_id}" if wrong else "",
    )
    head = fragments.pop("command-head")
    return page(
        "commands/command.html",
        about,
        status=409 if wrong else 200,
        head=head,
        rows=list(fragments.values()),
        more=max(0, view.total - RIGS_SHOWN),
        wrong=wrong,
    )


def _form_page(
    request: PageRequest,
    live: LiveRigs,
    wheel_store: WheelStore,
    form: CommandForm,
    *,
    errors: Mapping[str, str] = {},
) -> Html:
    matched, errors = 0, dict(errors)
    try:
        matched = len(chosen_rigs(live, select=form.select, rig_ids=form.rig_ids)) if form.has_rigs else 0
    except CommanderError as error:
        errors.setdefault("select", str(error))
    about = Page(title="New command", section=SECTION, url=form.address if errors else "", live="/live?view=quiet")
    named = [(rig_id, live.index.rigs[rig_id].name) for rig_id in form.rig_ids or [] if rig_id in live.index.rigs]
    return page(
        "commands/form.html",
        about,
        status=WRONG if errors else 200,
        form=form,
        errors=errors,
        matched=matched,
        rigs=named,
        actions=options(request.user.role),
        may_shut_down=is_enough(request.user.role, least_role_for(CommandAction.SHUTDOWN)),
        versions=[(version, version) for version in versions(wheel_store)],
    )


def _shutdown_page(live: LiveRigs, rig_id: int, *, value: str = "", error: str = "") -> Html:
    state = live.find(rig_id)
    at = f"/cpu-gpu/{rig_id}/shutdown"
    about = Page(title=f"Shut down {state.name}", section=RIGS, live=names_of(rig_id), url=at if error else "")
    return page("commands/shutdown.html", about, status=WRONG if error else 200, rig=state, value=value, error=error)


def _finding(finding: Finding) -> dict[str, str]:
    word, tone = SEVERITIES[finding.severity]
    return {"word": word, "tone": tone, "text": finding.text, "check": finding.check}


def _log_title(log: FetchedLog) -> str:
    if log.playbook_id is not None:
        return f"Output of playbook {log.playbook_id}"
    return LOG_TITLES.get(log.source, log.source)
