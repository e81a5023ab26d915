"""The playbook form: what a browser sends, what the form shows, and which field an error belongs to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from protocol import units
from protocol.playbook_messages import Platform

from commander.addresses.actions import AddressWithUses
from commander.addresses.domain import Address, AddressKind
from commander.playbooks.domain import PlaybookSpec, WorkSpec
from commander.software.domain import CatalogueEntry
from commander.software.placeholders import own_variables
from commander.web.ids import id_in

VARIABLE = "variable."
Options = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class WorkForm:
    algorithm: str = ""
    coin: str = ""
    pool: str = ""
    wallet: str = ""
    password: str = "x"  # noqa: S105 - what pools expect where they want none

    @property
    def is_empty(self) -> bool:
        return not (self.algorithm or self.coin or self.pool or self.wallet)


@dataclass(frozen=True, slots=True)
class PlaybookForm:
    """`works` are always two; the second counts only if something is chosen in it."""

    software: int
    name: str = ""
    script: str = ""
    works: Sequence[WorkForm] = (WorkForm(), WorkForm())
    variables: Mapping[str, str] = field(default_factory=dict)
    root: bool = False

    @property
    def own_variables(self) -> list[tuple[str, str]]:
        """The variables that the script asks for, with what was given for them."""
        return [(name, self.variables.get(name, "")) for name in own_variables(self.script)]


def form_from(fields: Mapping[str, str]) -> PlaybookForm:
    """Returns the form with the fields that a browser sent."""
    return PlaybookForm(
        software=id_in(fields.get("software", "")) or 0,
        name=fields.get("name", ""),
        script=fields.get("script", "").replace("\r\n", "\n"),
        works=[_work_from(fields, second) for second in ("", "2")],
        variables={name[len(VARIABLE) :]: text for name, text in fields.items() if name.startswith(VARIABLE)},
        root="root" in fields,
    )


def _work_from(fields: Mapping[str, str], second: str) -> WorkForm:
    names = ("algorithm", "coin", "pool", "wallet", "password")
    return WorkForm(**{name: fields.get(f"{name}{second}", "").strip() for name in names})


def form_of(spec: PlaybookSpec) -> PlaybookForm:
    works = [_work_form(work) for work in spec.works]
    return PlaybookForm(spec.software_id, spec.name, spec.script, [*works, WorkForm()][:2], spec.variables, spec.root)


def _work_form(work: WorkSpec) -> WorkForm:
    return WorkForm(work.algorithm, work.coin, _number(work.pool_id), _number(work.wallet_id), work.password)


def _number(value: int | None) -> str:
    return "" if value is None else str(value)


def spec_of(form: PlaybookForm) -> PlaybookSpec:
    first, second = form.works
    works = [_work(first)] if second.is_empty else [_work(first), _work(second)]
    wanted = dict(form.own_variables)
    return PlaybookSpec(
        name=form.name,
        software_id=form.software,
        platform=Platform.UNKNOWN,  # the rig's, read from the database later
        script=form.script or " \n",  # an emptied script is an error here, not a wish for the software's own
        works=works,
        variables=wanted,
        root=form.root,
    )


def _work(form: WorkForm) -> WorkSpec:
    return WorkSpec(
        algorithm=form.algorithm,
        coin=form.coin,
        pool_id=id_in(form.pool),
        wallet_id=id_in(form.wallet),
        password=form.password,
    )


def errors_of(fields: Mapping[str, str]) -> dict[str, str]:
    """Returns the errors by the names of the form's fields. An error of no field is called "form"."""
    return {_field(name): text for name, text in fields.items()}


def _field(name: str) -> str:
    kind, _, rest = name.partition(".")
    if kind == "works" and rest:
        place, _, what = rest.partition(".")
        return what.removesuffix("_id") + ("2" if place == "1" else "")
    if kind == "variables":
        return f"{VARIABLE}{rest}"
    return {"software_id": "form", "works": "algorithm2", "": "form"}.get(name, name)


def address_options(known: Sequence[AddressWithUses], kind: AddressKind) -> Options:
    found = [each.address for each in known if each.address.kind is kind]
    return [(str(each.id), f"{each.name} – {_short(each)}{f' ({each.coin})' if each.coin else ''}") for each in found]


def _short(address: Address) -> str:
    return units.shortened(address.address, 14) if address.kind is AddressKind.WALLET else address.address


def software_options(
    entries: Sequence[CatalogueEntry], platform: Platform
) -> tuple[list[CatalogueEntry], list[CatalogueEntry]]:
    """Returns the software that a rig of this system can use, and the software that has no download for it."""
    usable = [each for each in entries if (download := each.about.download(platform)) and download.url]
    return usable, [each for each in entries if each not in usable]
