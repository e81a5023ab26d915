"""Renders a spec to the playbook that a sentry gets. A pure function, which finds all errors at once, by field."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from protocol.playbook_messages import Platform, Playbook, PlaybookWork, SoftwarePackage

from commander.addresses.checks import checked_coin
from commander.addresses.domain import Address, AddressKind, BadAddress
from commander.playbooks.domain import NAME_MAX_LENGTH, BadPlaybook, PlaybookSpec, WorkSpec
from commander.software.checks import checked_script
from commander.software.domain import MiningSoftware
from commander.software.placeholders import API_PORT_NAME, KNOWN, BadScript, fill, names_in

_NAME = re.compile(r"\w[\w .:#()+@/-]*")
_ALGORITHM = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./,+:-]{0,63}")
_VARIABLE = re.compile(r"[a-z][a-z0-9_]{0,31}")
_TLS = re.compile(r"(^|\+)(ssl|tls|tcps|https)$")


@dataclass(frozen=True, slots=True)
class RenderInput:
    """The input for a spec: its rig, and the things that it names by number. A number that is missing here does not
    exist."""

    rig_id: int
    rig_name: str
    software: MiningSoftware | None
    addresses: Mapping[int, Address]


def rendered(
    spec: PlaybookSpec, context: RenderInput, *, playbook_id: int = 0, revision: int = 0, paused: bool = False
) -> Playbook:
    """Returns the playbook that the rig's sentry gets. Raises `BadPlaybook`."""
    errors: dict[str, str] = {}
    package = _package(spec, context.software, errors)
    _check_texts(spec, context, errors)
    values, fields = _values(spec, context, errors)
    values["executable"] = _path(package, spec.platform)
    script = _script(spec, context.software, values, fields, errors)
    if errors:
        raise BadPlaybook(errors)
    return Playbook(
        id=str(playbook_id),
        name=spec.name,
        revision=revision,
        package=package,
        platform=spec.platform,
        script=script,
        has_api=context.software.has_api if context.software else True,
        paused=paused,
        root=spec.root,
        works=[_work(work, context.addresses) for work in spec.works],
    )


def _package(spec: PlaybookSpec, software: MiningSoftware | None, errors: dict[str, str]) -> SoftwarePackage:
    system = "Windows" if spec.platform is Platform.WINDOWS else "Linux"
    download = software.download(spec.platform) if software else None
    if software is None:
        errors["software_id"] = "Choose the mining software."
    elif download is None or not download.url:
        errors["software_id"] = f"{software.title} has no download address for {system}. Add one under Mining software."
    if software is None or download is None:
        return SoftwarePackage(software="", version="", url="", archive="unknown", executable="")  # type: ignore[arg-type]  # never sent
    return SoftwarePackage(
        software=software.software,
        version=software.version,
        url=download.url,
        archive=download.archive,
        executable=download.executable,
        sha256=download.sha256,
    )


def _check_texts(spec: PlaybookSpec, context: RenderInput, errors: dict[str, str]) -> None:
    if not _NAME.fullmatch(spec.name) or len(spec.name) > NAME_MAX_LENGTH:
        errors["name"] = "A name has 1 to 64 letters, digits, spaces or . _ - : # ( ) + @ / in it."
    most = context.software.algorithms if context.software else 2
    if not 1 <= len(spec.works) <= most:
        errors["works"] = f"This software mines {'one algorithm' if most == 1 else 'one or two algorithms'} at once."
    for at, work in enumerate(spec.works):
        errors |= {f"works.{at}.{field}": text for field, text in _wrong_in(work, context.addresses)}
    for name in spec.variables:
        if name in KNOWN or not _VARIABLE.fullmatch(name):
            errors[f"variables.{name[:40]}"] = "A variable has a name of small letters, digits and _ that is not taken."


def _wrong_in(work: WorkSpec, addresses: Mapping[int, Address]) -> Iterator[tuple[str, str]]:
    for field, kind in (("pool_id", AddressKind.POOL), ("wallet_id", AddressKind.WALLET)):
        address_id = getattr(work, field)
        address = addresses.get(address_id) if address_id is not None else None
        if address_id is not None and (address is None or address.kind is not kind):
            yield field, f"There is no such {kind}; it may have been removed."
    if work.algorithm and not _ALGORITHM.fullmatch(work.algorithm):
        yield "algorithm", "An algorithm has 1 to 64 letters, digits or _ . / , + : - in it."
    try:
        checked_coin(work.coin)
    except BadAddress as error:
        yield "coin", str(error)


def _values(spec: PlaybookSpec, context: RenderInput, errors: dict[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """The value of each placeholder, and the field that each of them comes from."""
    values = {"worker": context.rig_name, "rig_id": str(context.rig_id), **spec.variables}
    fields = {name: f"variables.{name}" for name in names_in(spec.script) if name not in KNOWN}
    for at in range(2):
        work = spec.works[at] if at < len(spec.works) else WorkSpec(password="")
        second = "2" if at else ""
        values |= _pool_values(f"pool{second}", _address(work.pool_id, context.addresses))
        values |= {
            f"wallet{second}": _address(work.wallet_id, context.addresses),
            f"coin{second}": coin_of(work, context.addresses) or "",
            f"algorithm{second}": work.algorithm,
            f"password{second}": work.password,
        }
        fields |= {f"{what}{second}": f"works.{at}.{what}" for what in ("algorithm", "coin", "password")}
        fields |= {f"wallet{second}": f"works.{at}.wallet_id"}
        fields |= {name: f"works.{at}.pool_id" for name in _pool_values(f"pool{second}", "")}
    return values, fields


def _address(address_id: int | None, addresses: Mapping[int, Address]) -> str:
    address = addresses.get(address_id) if address_id is not None else None
    return address.address if address else ""


def coin_of(work: WorkSpec, addresses: Mapping[int, Address]) -> str | None:
    """The coin that is mined: as it was chosen, otherwise the wallet's or the pool's."""
    coins = (addresses[each].coin for each in (work.wallet_id, work.pool_id) if each is not None and each in addresses)
    try:
        return checked_coin(work.coin) or next(filter(None, coins), None)
    except BadAddress:
        return None


def _pool_values(name: str, address: str) -> dict[str, str]:
    """An empty address gives every placeholder of a pool, all without a value."""
    scheme, _, hostport = address.rpartition("://")
    host, _, port = hostport.rpartition(":")
    tls = bool(_TLS.search(scheme))
    return {
        name: address,
        f"{name}_host": host,
        f"{name}_port": port,
        f"{name}_hostport": hostport,
        f"{name}_url": address and f"{scheme or 'stratum+tcp'}://{hostport}",
        f"{name}_tls": address and ("on" if tls else "off"),
        f"{name}_ssl": address and ("1" if tls else "0"),
        f"{name}_use_tls": address and ("true" if tls else "false"),
    }


def _path(package: SoftwarePackage, platform: Platform) -> str:
    return package.executable.replace("/", "\\") if platform is Platform.WINDOWS else package.executable


def _script(
    spec: PlaybookSpec,
    software: MiningSoftware | None,
    values: Mapping[str, str],
    fields: Mapping[str, str],
    errors: dict[str, str],
) -> str:
    try:
        template = checked_script(spec.script)
        if software and software.has_api and API_PORT_NAME not in names_in(template):
            errors["script"] = (
                "Without {api_port} the sentry can't read its values: give the port to the software's API."
            )
        return fill(template, values, spec.platform)
    except ValueError as error:
        errors["script"] = str(error)
    except BadScript as error:
        for name, text in error.wrong.items():
            errors.setdefault(fields.get(name, "script"), text)
    return ""


def _work(work: WorkSpec, addresses: Mapping[int, Address]) -> PlaybookWork:
    return PlaybookWork(
        algorithm=work.algorithm or None,
        coin=coin_of(work, addresses),
        pool=_address(work.pool_id, addresses) or None,
        user=_address(work.wallet_id, addresses) or None,
    )
