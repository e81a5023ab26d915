"""The form of a playbook: software first, then its script, pool and wallet; a preview before anything is saved."""

from collections.abc import Mapping
from typing import Any

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response import Redirect

from commander.accounts.confirmations import Confirmations
from commander.accounts.domain import author_of
from commander.addresses.actions import AddressActions
from commander.addresses.coins import COINS
from commander.addresses.domain import AddressKind
from commander.live.rig_state import RigState
from commander.live.rigs import LiveRigs
from commander.playbooks.actions import PlaybookActions
from commander.playbooks.copying import SYSTEMS
from commander.playbooks.domain import BadPlaybook, StoredPlaybook, TooManyPlaybooks, needs_restart
from commander.playbooks.forms import (
    PlaybookForm,
    address_options,
    errors_of,
    form_from,
    form_of,
    software_options,
    spec_of,
)
from commander.playbooks.lookup import playbook_of_rig
from commander.playbooks.views import names_of
from commander.registry.sections import RIGS
from commander.software.actions import SoftwareActions
from commander.software.placeholders import KNOWN
from commander.web.shell import Html, Page, page

WRONG = 422
PageRequest = Request[Any, Any, Any]


@get("/cpu-gpu/{rig_id:int}/playbooks/new", include_in_schema=False)
async def new(
    rig_id: FromPath[int],
    request: PageRequest,
    live: NamedDependency[LiveRigs],
    playbook_actions: NamedDependency[PlaybookActions],
    software_actions: NamedDependency[SoftwareActions],
    address_actions: NamedDependency[AddressActions],
) -> Html:
    state, platform = live.find(rig_id), await playbook_actions.platform(rig_id)
    entries = [each.entry for each in await software_actions.all()]
    usable, others = software_options(entries, platform)
    software_id = str(request.query_params.get("software", ""))
    chosen = next((each for each in usable if str(each.id) == software_id), None)
    if chosen is None:
        about = Page(title=f"New playbook for {state.name}", section=RIGS, live=names_of(rig_id))
        return page("playbooks/choose.html", about, rig=state, system=SYSTEMS[platform], usable=usable, others=others)
    download = chosen.about.download(platform)
    form = PlaybookForm(software=chosen.id, script=download.script if download else "")
    return await _form_page(state, form, playbook_actions, software_actions, address_actions)


@post("/cpu-gpu/{rig_id:int}/playbooks", include_in_schema=False)
async def add(
    rig_id: FromPath[int],
    request: PageRequest,
    live: NamedDependency[LiveRigs],
    playbook_actions: NamedDependency[PlaybookActions],
    software_actions: NamedDependency[SoftwareActions],
    address_actions: NamedDependency[AddressActions],
    confirmations: NamedDependency[Confirmations],
) -> Html | Redirect:
    state, fields = live.find(rig_id), await _fields(request)
    form = form_from(fields)
    try:
        if fields.get("do") == "preview":
            preview = await playbook_actions.preview(rig_id, spec_of(form))
            return await _form_page(
                state, form, playbook_actions, software_actions, address_actions, preview=preview.script
            )
        confirmations.check_for_rigs(request.user, [rig_id])
        added = await playbook_actions.add(rig_id, spec_of(form), author=author_of(request.user))
    except BadPlaybook as error:
        return await _form_page(
            state, form, playbook_actions, software_actions, address_actions, errors=errors_of(error.fields)
        )
    except TooManyPlaybooks as error:
        return await _form_page(
            state, form, playbook_actions, software_actions, address_actions, errors={"form": str(error)}
        )
    return Redirect(f"/cpu-gpu/{rig_id}/playbooks/{added.id}", status_code=303)


@get("/cpu-gpu/{rig_id:int}/playbooks/{playbook_id:int}/edit", include_in_schema=False)
async def edit(
    rig_id: FromPath[int],
    playbook_id: FromPath[int],
    live: NamedDependency[LiveRigs],
    playbook_actions: NamedDependency[PlaybookActions],
    software_actions: NamedDependency[SoftwareActions],
    address_actions: NamedDependency[AddressActions],
) -> Html:
    playbook = await playbook_of_rig(playbook_actions, rig_id, playbook_id)
    return await _form_page(
        live.find(rig_id),
        form_of(playbook.spec),
        playbook_actions,
        software_actions,
        address_actions,
        playbook=playbook,
    )


@post("/cpu-gpu/{rig_id:int}/playbooks/{playbook_id:int}/edit", include_in_schema=False)
async def change(
    rig_id: FromPath[int],
    playbook_id: FromPath[int],
    request: PageRequest,
    live: NamedDependency[LiveRigs],
    playbook_actions: NamedDependency[PlaybookActions],
    software_actions: NamedDependency[SoftwareActions],
    address_actions: NamedDependency[AddressActions],
    confirmations: NamedDependency[Confirmations],
) -> Html | Redirect:
    playbook, fields = await playbook_of_rig(playbook_actions, rig_id, playbook_id), await _fields(request)
    state, form = live.find(rig_id), form_from(fields)
    try:
        if fields.get("do") == "preview":
            preview = await playbook_actions.preview(rig_id, spec_of(form))
            effect = "It restarts with this change." if needs_restart(playbook.wire, preview) else "It keeps running."
            return await _form_page(
                state,
                form,
                playbook_actions,
                software_actions,
                address_actions,
                playbook=playbook,
                preview=preview.script,
                effect=effect,
            )
        confirmations.check_for_rigs(request.user, [rig_id])
        await playbook_actions.change(playbook_id, spec_of(form), author=author_of(request.user))
    except BadPlaybook as error:
        errors = errors_of(error.fields)
        return await _form_page(
            state, form, playbook_actions, software_actions, address_actions, playbook=playbook, errors=errors
        )
    return Redirect(f"/cpu-gpu/{rig_id}/playbooks/{playbook_id}", status_code=303)


HANDLERS: list[HTTPRouteHandler] = [new, add, edit, change]


async def _form_page(
    state: RigState,
    form: PlaybookForm,
    playbook_actions: PlaybookActions,
    software_actions: SoftwareActions,
    address_actions: AddressActions,
    *,
    playbook: StoredPlaybook | None = None,
    errors: Mapping[str, str] | None = None,
    preview: str = "",
    effect: str = "",
) -> Html:
    addresses, platform = await address_actions.all(), await playbook_actions.platform(state.id)
    entries = [each.entry for each in await software_actions.all()]
    chosen = next((each for each in entries if each.id == form.software), None)
    usable, _ = software_options(entries, platform)
    base = f"/cpu-gpu/{state.id}/playbooks"
    at = f"{base}/{playbook.id}/edit" if playbook else f"{base}/new?software={form.software}"
    title = f"Edit {playbook.spec.name}" if playbook else f"New playbook for {state.name}"
    return page(
        "playbooks/form.html",
        Page(title=title, section=RIGS, live=names_of(state.id), url=at if errors or preview else ""),
        status=WRONG if errors else 200,
        rig=state,
        form=form,
        playbook=playbook,
        software=chosen.about if chosen else None,
        choices=[(str(each.id), each.about.title) for each in usable],
        system=SYSTEMS[platform],
        pools=address_options(addresses, AddressKind.POOL),
        wallets=address_options(addresses, AddressKind.WALLET),
        coins=[coin.name for coin in COINS],
        placeholders=list(KNOWN.items()),
        errors=errors or {},
        preview=preview,
        effect=effect,
    )


async def _fields(request: PageRequest) -> dict[str, str]:
    return {name: str(value) for name, value in (await request.form()).items()}
