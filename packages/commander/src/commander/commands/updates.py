"""Updates of sentries: the versions that the commander's wheel store has, and the hashes that a command carries."""

from packaging.version import InvalidVersion, Version
from protocol.command_messages import CommandAction, CommandArguments, WheelHash

from commander.commands.domain import BadArguments
from commander.wheels.store import WheelStore

SENTRY = "minewarden-cpu-gpu-sentry"
OWN = ("minewarden-protocol", "minewarden-sentry-kit", SENTRY)  # packages of one release: one version


def versions(wheel_store: WheelStore) -> list[str]:
    """Returns the versions to which CPU/GPU sentries can be updated, the newest first."""
    by_project = [{each.version for each in wheel_store.wheels_of(project)} for project in OWN]
    return sorted(set.intersection(*by_project), key=Version, reverse=True)


def with_wheels(action: CommandAction, arguments: CommandArguments, wheel_store: WheelStore) -> CommandArguments:
    """Adds the wheels of an update with their hashes; without a version it is the newest.

    Raises `BadArguments` if the store does not have the version.
    """
    if action is not CommandAction.UPDATE_SENTRY:
        return arguments
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
    wheels = [each for project in OWN for each in wheel_store.wheels_of(project) if each.version == version]
    hashes = [WheelHash(file_name=each.file_name, sha256=each.sha256) for each in wheels]
    return CommandArguments(version=version, wheels=hashes)


def _normal(version: str) -> str:
    try:
        return str(Version(version))
    except InvalidVersion:
        return version[:40]
