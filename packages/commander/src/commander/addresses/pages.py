"""The templates page: pools and wallets, their dialogs and forms."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect
from protocol import units

from commander.accounts.domain import author_of
from commander.addresses.actions import AddressActions, AddressWithUses
from commander.addresses.coins import COINS
from commander.addresses.domain import AddressKind, AddressNameTaken, AddressNotFound, BadAddress
from commander.dependents import InUse, NotConfirmed, Use
from commander.web.ids import id_in
from commander.web.shell import Html, Page, Section, page

WRONG = 422
HOME = "/templates"
SECTION = Section("Templates", HOME, icon="M3 8h18v12H3zM3 8l3-4h12l3 4M15 14h3")
PageRequest = Request[Any, Any, Any]
TITLES = {AddressKind.POOL: "pool", AddressKind.WALLET: "wallet"}


class AddressForm(msgspec.Struct, frozen=True):
    type: AddressKind = AddressKind.POOL
    name: str = ""
    coin: str = ""
    address: str = ""
    confirmed: str = ""


@dataclass(frozen=True, slots=True)
class AddressRow:
    id: int
    name: str
    coin: str
    address: str
    short: str
    used_by: list[Use]


@dataclass(frozen=True, slots=True)
class AddressDialog:
    """`kind` is add, edit or remove; `restarting` are the playbooks that a change would restart."""

    kind: str
    form: AddressForm
    what: str
    address_id: int = 0
    title: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)
    used_by: list[Use] = field(default_factory=list)
    restarting: list[Use] = field(default_factory=list)

    @property
    def url(self) -> str:
        about = f"type={self.what}" if self.kind == "add" else f"address={self.address_id}"
        return f"{HOME}?dialog={self.kind}&{about}"


@get(HOME, include_in_schema=False)
async def show(request: PageRequest, address_actions: NamedDependency[AddressActions]) -> Html:
    query = request.query_params
    kind, dialog = query.get("dialog"), None
    if kind == "add":
        chosen = AddressKind.WALLET if query.get("type") == "wallet" else AddressKind.POOL
        dialog = AddressDialog("add", AddressForm(type=chosen), TITLES[chosen])
    elif kind in ("edit", "remove"):
        entry = await address_actions.find(id_in(str(query.get("address", ""))) or 0)
        dialog = _dialog(str(kind), entry)
    return await _page(address_actions, dialog, removed=str(query.get("removed", "")))


@post(HOME, include_in_schema=False)
async def add(data: URLEncodedBody[AddressForm], address_actions: NamedDependency[AddressActions]) -> Html | Redirect:
    try:
        await address_actions.add(data.type, data.name, data.coin, data.address)
    except (BadAddress, AddressNameTaken) as error:
        return await _page(address_actions, AddressDialog("add", data, TITLES[data.type], errors=_errors(error)))
    return Redirect(HOME, status_code=303)


@post("/templates/{address_id:int}/edit", include_in_schema=False)
async def edit(
    address_id: FromPath[int],
    data: URLEncodedBody[AddressForm],
    request: PageRequest,
    address_actions: NamedDependency[AddressActions],
) -> Html | Redirect:
    entry = await address_actions.find(address_id)
    kind, author = entry.address.kind, author_of(request.user)
    try:
        await address_actions.change(
            address_id, kind, data.name, data.coin, data.address, author=author, confirmed=data.confirmed == "yes"
        )
    except (BadAddress, AddressNameTaken) as error:
        return await _page(address_actions, _dialog("edit", entry, form=data, errors=_errors(error)))
    except NotConfirmed as error:
        return await _page(address_actions, _dialog("edit", entry, form=data, restarting=error.uses))
    return Redirect(HOME, status_code=303)


@post("/templates/{address_id:int}/remove", include_in_schema=False)
async def remove(address_id: FromPath[int], address_actions: NamedDependency[AddressActions]) -> Html | Redirect:
    try:
        gone = await address_actions.remove(address_id)
    except InUse:
        return await _page(address_actions, _dialog("remove", await address_actions.find(address_id)), status=WRONG)
    except AddressNotFound:
        return Redirect(HOME, status_code=303)
    return Redirect(f"{HOME}?removed={gone.kind}", status_code=303)


HANDLERS: list[HTTPRouteHandler] = [show, add, edit, remove]


async def _page(
    address_actions: AddressActions, dialog: AddressDialog | None, *, removed: str = "", status: int = 200
) -> Html:
    wrong = dialog is not None and bool(dialog.errors or dialog.restarting)
    entries = await address_actions.all()
    return page(
        "addresses/templates.html",
        Page(
            title="Templates",
            section=SECTION,
            live="/live?view=names",
            url=dialog.url if dialog and wrong else "",
        ),
        status=WRONG if wrong else status,
        pools=[_row(each) for each in entries if each.address.kind is AddressKind.POOL],
        wallets=[_row(each) for each in entries if each.address.kind is AddressKind.WALLET],
        coins=[coin.name for coin in COINS],
        dialog=dialog,
        removed={"pool": "The pool was removed.", "wallet": "The wallet was removed."}.get(removed, ""),
    )


def _row(entry: AddressWithUses) -> AddressRow:
    about = entry.address
    short = units.shortened(about.address, 10) if about.kind is AddressKind.WALLET else about.address
    return AddressRow(about.id, about.name, about.coin or units.UNKNOWN, about.address, short, entry.used_by)


def _dialog(
    kind: str,
    entry: AddressWithUses,
    *,
    form: AddressForm | None = None,
    errors: Mapping[str, str] | None = None,
    restarting: list[Use] | None = None,
) -> AddressDialog:
    about = entry.address
    stands = AddressForm(type=about.kind, name=about.name, coin=about.coin or "", address=about.address)
    return AddressDialog(
        kind, form or stands, TITLES[about.kind], about.id, about.name, errors or {}, entry.used_by, restarting or []
    )


def _errors(error: BadAddress | AddressNameTaken) -> dict[str, str]:
    return {error.field if isinstance(error, BadAddress) else "name": str(error)}
