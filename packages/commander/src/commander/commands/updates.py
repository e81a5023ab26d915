"""Updates of sentries: the versions that the commander's wheel store has, and the hashes that a command carries."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable

from packaging.version import InvalidVersion, Version
from protocol.command_messages import DEPENDENCIES_MAX, CommandAction, CommandArguments, WheelHash

from commander.commands.domain import BadArguments
from commander.wheels.fetching import INSTALLER
from commander.wheels.own import PROJECTS
from commander.wheels.store import Wheel, WheelFile, WheelStore

SENTRY = "minewarden-cpu-gpu-sentry"
OWN = ("minewarden-protocol", "minewarden-sentry-kit", SENTRY)  # packages of one release: one version


def versions(wheel_store: WheelStore) -> list[str]:
    """Returns the versions to which CPU/GPU sentries can be updated, the newest first."""
    by_project = [wheel_store.versions_of(project) for project in OWN]
    return sorted(set.intersection(*by_project), key=Version, reverse=True)


async def with_wheels(action: CommandAction, arguments: CommandArguments, wheel_store: WheelStore) -> CommandArguments:
    """Adds the wheels of an update with their hashes; without a version it is the newest.

    Raises `BadArguments` if the store does not have the version.
    """
    if action is not CommandAction.UPDATE_SENTRY:
        return arguments
    return await asyncio.to_thread(_with_wheels, arguments, wheel_store)  # it may read hundreds of megabytes


def _with_wheels(arguments: CommandArguments, wheel_store: WheelStore) -> CommandArguments:
    available = versions(wheel_store)
    if not available:
        raise BadArguments(
            "This commander has no packages of the CPU/GPU sentry, so it can't update one. Type `commander "
            "fetch-packages` on its machine, then send the command again."
        )
    version = _normal(arguments.version) if arguments.version else available[0]
    if version not in available:
        raise BadArguments(
            f"This commander does not have version {version} of the CPU/GPU sentry. It has {', '.join(available)}."
        )
    wheels = [each for project in OWN for each in wheel_store.wheels_of(project, version)]
    return CommandArguments(version=version, wheels=_hashes(wheels), dependencies=_hashes(_dependencies(wheel_store)))


def _dependencies(wheel_store: WheelStore) -> list[Wheel]:
    """Returns the wheels of all projects but our own, for every system and Python.

    If they are more than a command may name, the oldest versions are left out and not read.
    """
    projects: defaultdict[str, list[WheelFile]] = defaultdict(list)
    for file in wheel_store.files():
        if file.project not in (*PROJECTS, INSTALLER):
            projects[file.project].append(file)
    ranked: list[tuple[int, WheelFile]] = []
    for files in projects.values():
        newest_first = sorted({each.version for each in files}, reverse=True)
        ranked += [(newest_first.index(each.version), each) for each in files]
    ranked.sort(key=lambda pair: pair[0])
    return [wheel_store.read(file) for _, file in ranked[:DEPENDENCIES_MAX]]


def _hashes(wheels: Iterable[Wheel]) -> list[WheelHash]:
    return [WheelHash(file_name=each.file_name, sha256=each.sha256) for each in wheels]


def _normal(version: str) -> str:
    try:
        return str(Version(version))
    except InvalidVersion:
        return version[:40]
