"""The watchdog page: the rules with their dialogs, and the newest acts of all rigs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from urllib.parse import urlencode

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect
from protocol import units
from protocol.command_messages import LadderSettings

from commander.live.rigs import Lives
from commander.registry.kinds import RigKind
from commander.registry.sections import RIGS
from commander.selections.choice import chosen
from commander.selections.domain import BadSelection
from commander.watchdog.actions import WatchdogActions, rigs_text
from commander.watchdog.domain import Rule, RuleNotFound, TooManyRules
from commander.watchdog.forms import NUMBERS, RuleForm, form_of, read_form
from commander.watchdog.words import act_text, differences
from commander.web.ids import id_in
from commander.web.shell import Html, Page, Section, page

WRONG = 422
HOME = "/watchdog"
SECTION = Section("Watchdog", HOME, icon="M12 3l8 3v6c0 5-4 8-8 9c-4-1-8-4-8-9V6z")
ACTS_SHOWN = 50
PageRequest = Request[Any, Any, Any]


class RuleRow(NamedTuple):
    """A line of the table. `rigs_path` is the page of the rigs that match."""

    id: int
    name: str
    differences: list[str]
    rigs: str
    rigs_path: str


@dataclass(frozen=True, slots=True)
class RuleDialog:
    """`kind` is add, edit or remove."""

    kind: str
    form: RuleForm
    rule_id: int = 0
    name: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"{HOME}?dialog={self.kind}{f'&rule={self.rule_id}' if self.rule_id else ''}"


@get(HOME, include_in_schema=False)
async def show(
    request: PageRequest, watchdog_actions: NamedDependency[WatchdogActions], lives: NamedDependency[Lives]
) -> Html:
    query = request.query_params
    kind, dialog = str(query.get("dialog", "")), None
    if kind == "add":
        dialog = RuleDialog("add", RuleForm())
    elif kind in ("edit", "remove"):
        dialog = _dialog(kind, await watchdog_actions.find(id_in(str(query.get("rule", ""))) or 0))
    return await _page(watchdog_actions, lives, dialog, removed="removed" in query)


@post(HOME, include_in_schema=False)
async def add(
    data: URLEncodedBody[RuleForm],
    watchdog_actions: NamedDependency[WatchdogActions],
    lives: NamedDependency[Lives],
) -> Html | Redirect:
    limits, errors = read_form(data, LadderSettings())
    if not errors:
        try:
            await watchdog_actions.add_rule(data.select, limits)
            return Redirect(HOME, status_code=303)
        except TooManyRules as error:
            errors = {"select": str(error)}
    return await _page(watchdog_actions, lives, RuleDialog("add", data, errors=errors))


@post("/watchdog/{rule_id:int}/edit", include_in_schema=False)
async def edit(
    rule_id: FromPath[int],
    data: URLEncodedBody[RuleForm],
    watchdog_actions: NamedDependency[WatchdogActions],
    lives: NamedDependency[Lives],
) -> Html | Redirect:
    rule = await watchdog_actions.find(rule_id)
    limits, errors = read_form(data, rule.limits)
    if errors:
        return await _page(watchdog_actions, lives, _dialog("edit", rule, form=data, errors=errors))
    await watchdog_actions.change_rule(rule_id, data.select, limits)
    return Redirect(HOME, status_code=303)


@post("/watchdog/{rule_id:int}/remove", include_in_schema=False)
async def remove(rule_id: FromPath[int], watchdog_actions: NamedDependency[WatchdogActions]) -> Redirect:
    try:
        await watchdog_actions.remove_rule(rule_id)
    except RuleNotFound:
        return Redirect(HOME, status_code=303)
    return Redirect(f"{HOME}?removed=yes", status_code=303)


HANDLERS: list[HTTPRouteHandler] = [show, add, edit, remove]


async def _page(
    watchdog_actions: WatchdogActions, lives: Lives, dialog: RuleDialog | None, *, removed: bool = False
) -> Html:
    wrong = dialog is not None and bool(dialog.errors)
    rules, acts = await watchdog_actions.rules(), await watchdog_actions.newest_acts(ACTS_SHOWN)
    return page(
        "watchdog/watchdog.html",
        Page(title="Watchdog", section=SECTION, live="/live?view=names", url=dialog.url if dialog and wrong else ""),
        status=WRONG if wrong else 200,
        rules=[_row(rule, lives) for rule in reversed(rules)],
        acts=acts,
        act_text=act_text,
        numbers=NUMBERS,
        dialog=dialog,
        removed=removed,
    )


def _row(rule: Rule, lives: Lives) -> RuleRow:
    path = f"{RIGS.path}?{urlencode({'select': rule.select})}" if rule.select else RIGS.path
    return RuleRow(rule.id, rigs_text(rule.select), differences(rule.limits), _count(rule.select, lives), path)


def _count(select: str, lives: Lives) -> str:
    """Returns how many rigs match; another version may have made a rule that this one does not understand."""
    try:
        return units.count_text(len(chosen(lives[RigKind.CPU_GPU], select)))
    except BadSelection:
        return units.UNKNOWN


def _dialog(
    kind: str, rule: Rule, *, form: RuleForm | None = None, errors: Mapping[str, str] | None = None
) -> RuleDialog:
    return RuleDialog(kind, form or form_of(rule), rule.id, rigs_text(rule.select), errors or {})
