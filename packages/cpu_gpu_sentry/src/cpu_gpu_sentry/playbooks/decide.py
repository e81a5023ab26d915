"""Decides the next steps from what is wanted, what runs and what is installed. Pure: no processes, files or time."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from protocol.playbook_messages import Platform, Playbook, SoftwarePackage

from cpu_gpu_sentry.playbooks.errors import Refused
from cpu_gpu_sentry.playbooks.folders import is_plain_id
from cpu_gpu_sentry.playbooks.packages import check_package, package_fingerprint, software_key
from cpu_gpu_sentry.playbooks.scripts import fingerprint, script_body


@dataclass(frozen=True, slots=True)
class Running:
    """A playbook's current work: a process, or an installation on the way to one.

    `root` is None for a process of an earlier version, which does not say what its playbook wanted.
    """

    package: str
    script: str
    port: int
    root: bool | None = None


@dataclass(frozen=True, slots=True)
class Stop:
    playbook_id: str


@dataclass(frozen=True, slots=True)
class Forget:
    """The script and the output of a playbook that is no longer wanted."""

    playbook_id: str


@dataclass(frozen=True, slots=True)
class Discard:
    """Software that no playbook uses any longer."""

    key: str


@dataclass(frozen=True, slots=True)
class Refuse:
    playbook_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Keep:
    """Left as it is: a restart costs a GPU minutes of work."""

    playbook_id: str


@dataclass(frozen=True, slots=True)
class Install:
    playbook_id: str
    package: SoftwarePackage


@dataclass(frozen=True, slots=True)
class Write:
    playbook_id: str


@dataclass(frozen=True, slots=True)
class Run:
    playbook_id: str


@dataclass(frozen=True, slots=True)
class Rest:
    """A paused one: installed, and not run."""

    playbook_id: str


Step = Stop | Forget | Discard | Refuse | Keep | Install | Write | Run | Rest


def decide(
    wanted: Sequence[Playbook],
    running: Mapping[str, Running],
    installed: Collection[str],
    with_folder: Collection[str],
    here: Platform,
) -> list[Step]:
    """The steps in their order: stop, remove, and only then install, write and run.

    `running` is by playbook, `installed` are the keys of software, `with_folder` the playbooks that have a folder.
    """
    kept = {each.id for each in wanted if why_not(each, here) is None and is_same(each, running.get(each.id))}
    names = {each.id for each in wanted}
    needed = {software_key(each) for each in wanted}
    return [
        *(Stop(name) for name in running if name not in kept),
        *(Forget(name) for name in sorted(with_folder) if name not in names),
        *(Discard(key) for key in sorted(installed) if key not in needed),
        *(Keep(each.id) for each in wanted if each.id in kept),
        *_begin([each for each in wanted if each.id not in kept], installed, here),
    ]


def _begin(wanted: Sequence[Playbook], installed: Collection[str], here: Platform) -> Iterator[Step]:
    refused = {each.id: reason for each in wanted if (reason := why_not(each, here))}
    taken = [each for each in wanted if each.id not in refused]
    active = [each for each in taken if not each.paused]
    yield from (Refuse(name, reason) for name, reason in refused.items())
    yield from (Install(each.id, each.package) for each in taken if software_key(each) not in installed)
    yield from (Rest(each.id) for each in taken if each.paused)
    yield from (Write(each.id) for each in active)
    yield from (Run(each.id) for each in active)


def is_same(playbook: Playbook, running: Running | None) -> bool:
    """Returns whether the running package and script are byte for byte those of the playbook, at the same port."""
    return (
        running is not None
        and not playbook.paused
        and running.package == package_fingerprint(playbook.package)
        and running.script == fingerprint(script_body(playbook, running.port))
        and running.root in (None, playbook.root)
    )


def why_not(playbook: Playbook, here: Platform) -> str | None:
    """Returns why this rig can't run the playbook at all; None if it can."""
    if playbook.platform is not here:
        return f"This playbook is for {playbook.platform.value}, and this rig runs {here.value}; make one for it."
    if not is_plain_id(playbook.id):
        return "The playbook's id is not made of letters, digits, - and _; update the sentry."
    try:
        check_package(playbook.package)
        script_body(playbook, 0)
    except Refused as error:
        return str(error)
    return None
