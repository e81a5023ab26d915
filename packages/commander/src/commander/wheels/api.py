"""The index of the store and the scripts that install a sentry. A rig has no log-in, and what it gets is no secret."""

import html

from litestar import MediaType, Response, get
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from litestar.response import File
from packaging.utils import canonicalize_name

from commander import VERSION
from commander.accounts.auth import OPEN
from commander.settings import Settings
from commander.tls import CertificateFacts
from commander.wheels.fetching import INSTALLER
from commander.wheels.scripts import (
    ASIC,
    CPU_GPU,
    Sentry,
    powershell_script,
    refusing_powershell_script,
    refusing_shell_script,
    shell_script,
)
from commander.wheels.store import Wheel, WheelStore

CHANGES = {"Cache-Control": "no-cache"}
EMPTY = (
    f"This commander has no packages for sentries {VERSION}, so nothing was installed. On the commander's machine type "
    "`commander fetch-packages`, then type this line again."
)


@get("/packages", opt={OPEN: True}, include_in_schema=False, media_type=MediaType.HTML, sync_to_thread=True)
def index(wheel_store: NamedDependency[WheelStore]) -> Response[str]:
    """The list of projects, as PEP 503 describes it."""
    return _listing("Packages", [(f"/packages/{name}/", name) for name in wheel_store.projects()])


@get("/packages/{project:str}", opt={OPEN: True}, include_in_schema=False, sync_to_thread=True)
def project_index(project: FromPath[str], wheel_store: NamedDependency[WheelStore]) -> Response[str]:
    """The files of one project, each with its hash."""
    wheels = wheel_store.wheels_of(project)
    if not wheels:
        raise NotFoundException("There is no such package.")
    links = [(f"/packages/files/{each.file_name}#sha256={each.sha256}", each.file_name) for each in wheels]
    return _listing(canonicalize_name(project), links)


@get("/packages/files/{name:str}", opt={OPEN: True}, include_in_schema=False, sync_to_thread=True)
def wheel_file(name: FromPath[str], wheel_store: NamedDependency[WheelStore]) -> File:
    """A wheel. Only names of files that are in the store are found, so no name leads elsewhere."""
    path = wheel_store.file(name)
    if path is None:
        raise NotFoundException("There is no such file.")
    return File(path, filename=path.name, media_type="application/octet-stream")


@get("/install/cpu-gpu.sh", opt={OPEN: True}, include_in_schema=False, sync_to_thread=True)
def cpu_gpu_shell(
    settings: NamedDependency[Settings],
    certificate: NamedDependency[CertificateFacts | None],
    wheel_store: NamedDependency[WheelStore],
) -> Response[str]:
    return _shell(CPU_GPU, settings, certificate, wheel_store)


@get("/install/asic.sh", opt={OPEN: True}, include_in_schema=False, sync_to_thread=True)
def asic_shell(
    settings: NamedDependency[Settings],
    certificate: NamedDependency[CertificateFacts | None],
    wheel_store: NamedDependency[WheelStore],
) -> Response[str]:
    return _shell(ASIC, settings, certificate, wheel_store)


@get("/install/cpu-gpu.ps1", opt={OPEN: True}, include_in_schema=False, sync_to_thread=True)
def cpu_gpu_powershell(
    settings: NamedDependency[Settings],
    certificate: NamedDependency[CertificateFacts | None],
    wheel_store: NamedDependency[WheelStore],
) -> Response[str]:
    pip = _installer(wheel_store, CPU_GPU)
    if pip is None:
        return _script(refusing_powershell_script(EMPTY))
    return _script(powershell_script(settings.public_url, _authority(certificate), pip))


HANDLERS = [index, project_index, wheel_file, cpu_gpu_shell, asic_shell, cpu_gpu_powershell]


def _shell(
    sentry: Sentry, settings: Settings, certificate: CertificateFacts | None, wheel_store: WheelStore
) -> Response[str]:
    pip = _installer(wheel_store, sentry)
    if pip is None:
        return _script(refusing_shell_script(EMPTY))
    return _script(shell_script(sentry, settings.public_url, _authority(certificate), pip))


def _installer(wheel_store: WheelStore, sentry: Sentry) -> Wheel | None:
    """Returns the newest pip; None as long as the store can't install this version of the sentry."""
    pips = wheel_store.wheels_of(INSTALLER) if wheel_store.has(sentry.distribution, VERSION) else []
    return pips[-1] if pips else None


def _authority(certificate: CertificateFacts | None) -> str:
    return certificate.ca_pem.decode() if certificate and certificate.ca_pem else ""


def _script(text: str) -> Response[str]:
    return Response(text, media_type=MediaType.TEXT, headers=CHANGES)


def _listing(title: str, links: list[tuple[str, str]]) -> Response[str]:
    rows = "\n".join(f'<a href="{html.escape(address)}">{html.escape(text)}</a><br>' for address, text in links)
    meta = '<meta name="pypi:repository-version" content="1.0">'
    head = f'<!DOCTYPE html>\n<html lang="en"><head>{meta}<title>{title}</title>'
    return Response(f"{head}</head>\n<body>\n{rows}\n</body></html>\n", media_type=MediaType.HTML, headers=CHANGES)
