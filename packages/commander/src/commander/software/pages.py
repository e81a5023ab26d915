"""The mining software page and the form of one entry."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect

from commander.accounts.confirmations import Confirmations
from commander.accounts.domain import author_of
from commander.dependents import InUse, NotConfirmed, Use
from commander.live.rigs import LiveRigs
from commander.registry.kinds import RigKind
from commander.software.actions import SoftwareActions, SoftwareWithUses
from commander.software.domain import BadSoftware, SoftwareNotFound, SoftwareTaken
from commander.software.forms import (
    ARCHIVES,
    HARDWARE,
    SIDES,
    SoftwareForm,
    errors_of,
    form_of,
    platforms_of,
    software_of,
)
from commander.software.pins import OddPin, odd_pins
from commander.software.placeholders import KNOWN
from commander.web.ids import id_in
from commander.web.shell import Html, Page, Section, page

WRONG = 422
HOME = "/mining-software"
SECTION = Section("Mining software", HOME, icon="M12 3l9 5v8l-9 5-9-5V8zM3 8l9 5 9-5M12 13v8")
PageRequest = Request[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class SoftwareRow:
    """`platforms` are (name, what is missing there)."""

    id: int
    name: str
    version: str
    software: str
    hardware: str
    dual: bool
    has_api: bool
    shipped: bool
    note: str
    platforms: list[tuple[str, str]]
    used_by: list[Use]


@get(HOME, include_in_schema=False)
async def show(
    request: PageRequest,
    software_actions: NamedDependency[SoftwareActions],
    lives: NamedDependency[Mapping[RigKind, LiveRigs]],
) -> Html:
    query = request.query_params
    to_remove = id_in(str(query.get("software", ""))) if query.get("dialog") == "remove" else None
    removing = None if to_remove is None else await software_actions.find(to_remove)
    rigs = lives[RigKind.CPU_GPU].index.rigs.values()
    return await _list_page(software_actions, removing, removed="removed" in query, odd_pins=odd_pins(rigs))


@get("/mining-software/new", include_in_schema=False)
async def new(request: PageRequest, software_actions: NamedDependency[SoftwareActions]) -> Html:
    like = id_in(str(request.query_params.get("like", "")))
    form = SoftwareForm(has_api="yes")
    if like is not None:
        about = (await software_actions.find(like)).entry.about
        form = msgspec.structs.replace(form_of(about), version="", linux_sha256="", windows_sha256="")
    return _form_page(form)


@post(HOME, include_in_schema=False)
async def add(
    data: URLEncodedBody[SoftwareForm], software_actions: NamedDependency[SoftwareActions]
) -> Html | Redirect:
    try:
        await software_actions.add(software_of(data))
    except BadSoftware as error:
        return _form_page(data, errors=errors_of(error.fields))
    except SoftwareTaken as error:
        return _form_page(data, errors={"version": str(error)})
    return Redirect(HOME, status_code=303)


@get("/mining-software/{software_id:int}", include_in_schema=False)
async def show_one(software_id: FromPath[int], software_actions: NamedDependency[SoftwareActions]) -> Html:
    with_uses = await software_actions.find(software_id)
    return _form_page(form_of(with_uses.entry.about), with_uses)


@post("/mining-software/{software_id:int}", include_in_schema=False)
async def change(
    software_id: FromPath[int],
    data: URLEncodedBody[SoftwareForm],
    request: PageRequest,
    software_actions: NamedDependency[SoftwareActions],
    confirmations: NamedDependency[Confirmations],
) -> Html | Redirect:
    with_uses, author = await software_actions.find(software_id), author_of(request.user)
    confirmations.check_for_rigs(request.user, {use.rig_id for use in with_uses.used_by})
    try:
        await software_actions.change(software_id, software_of(data), author=author, confirmed=data.confirmed == "yes")
    except BadSoftware as error:
        return _form_page(data, with_uses, errors=errors_of(error.fields))
    except SoftwareTaken as error:
        return _form_page(data, with_uses, errors={"version": str(error)})
    except NotConfirmed as error:
        return _form_page(data, with_uses, restarting=error.uses)
    return Redirect(HOME, status_code=303)


@post("/mining-software/{software_id:int}/remove", include_in_schema=False)
async def remove(software_id: FromPath[int], software_actions: NamedDependency[SoftwareActions]) -> Html | Redirect:
    try:
        await software_actions.remove(software_id)
    except InUse:
        return await _list_page(software_actions, await software_actions.find(software_id), status=WRONG)
    except SoftwareNotFound:
        return Redirect(HOME, status_code=303)
    return Redirect(f"{HOME}?removed=yes", status_code=303)


HANDLERS: list[HTTPRouteHandler] = [show, new, add, show_one, change, remove]


async def _list_page(
    software_actions: SoftwareActions,
    removing: SoftwareWithUses | None,
    *,
    removed: bool = False,
    status: int = 200,
    odd_pins: Sequence[OddPin] = (),
) -> Html:
    return page(
        "software/list.html",
        Page(title="Mining software", section=SECTION, live="/live?view=names"),
        status=status,
        rows=[_row(each) for each in await software_actions.all()],
        removing=_row(removing) if removing else None,
        removed=removed,
        odd_pins=odd_pins,
    )


def _form_page(
    form: SoftwareForm,
    with_uses: SoftwareWithUses | None = None,
    *,
    errors: Mapping[str, str] | None = None,
    restarting: list[Use] | None = None,
) -> Html:
    title = with_uses.entry.about.title if with_uses else "New mining software"
    wrong = bool(errors or restarting)
    at = f"{HOME}/{with_uses.entry.id}" if with_uses else f"{HOME}/new"
    return page(
        "software/form.html",
        Page(title=title, section=SECTION, live="/live?view=names", url=at if wrong else ""),
        status=WRONG if wrong else 200,
        form=form,
        known=_row(with_uses) if with_uses else None,
        errors=errors or {},
        restarting=restarting or [],
        sides=list(SIDES.items()),
        archives=list(ARCHIVES.items()),
        hardware=[(each.value, words) for each, words in HARDWARE.items()],
        placeholders=list(KNOWN.items()),
    )


def _row(with_uses: SoftwareWithUses) -> SoftwareRow:
    about = with_uses.entry.about
    return SoftwareRow(
        id=with_uses.entry.id,
        name=about.name,
        version=about.version,
        software=about.software,
        hardware=HARDWARE[about.hardware],
        dual=about.algorithms == 2,
        has_api=about.has_api,
        shipped=with_uses.entry.shipped,
        note=about.note,
        platforms=platforms_of(about),
        used_by=with_uses.used_by,
    )
