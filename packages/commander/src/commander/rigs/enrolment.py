"""The card with a new token: how to install a sentry, connect it and start it, for each system it may run on."""

from collections.abc import Mapping
from dataclasses import dataclass

FOLDER = "minewarden-sentry"
LINUX, WINDOWS = "Linux", "Windows"


@dataclass(frozen=True, slots=True)
class SystemSteps:
    """The commands for one system. The last one of `connect` asks for the token; `id` names the tab."""

    id: str
    label: str
    install: str
    connect: list[str]
    start: str


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A new token, shown once: alone and in finished commands.

    `lines` has, by the id of a system, the one line that does everything there. It needs `has_packages`: the commander
    has the packages that it installs. `waiting`: the rig has never reported. `installed`, `connected` and `reported`:
    what has been done with this token.
    """

    name: str
    waiting: bool
    url: str
    token: str
    systems: list[SystemSteps]
    lines: Mapping[str, str]
    has_packages: bool
    installed: bool = False
    connected: bool = False
    reported: bool = False


def systems(package: str, program: str, connect: list[str]) -> list[SystemSteps]:
    """Returns the steps for the sentry `package`, whose commands begin with `program`."""
    windows = [command.replace(f"{program} ", f"{program}.exe ", 1) for command in connect]
    return [
        SystemSteps("linux", LINUX, linux_install(package), connect, f"{program} run"),
        SystemSteps("windows", f"{WINDOWS} (PowerShell)", windows_install(package), windows, f"{program}.exe run"),
    ]


def linux_install(package: str) -> str:
    """Returns the commands for a checkout on Debian 12 or newer, whose Python refuses packages from outside."""
    return "\n".join(
        (
            "sudo apt install python3-venv",
            f"python3 -m venv ~/{FOLDER}",
            f"~/{FOLDER}/bin/pip install ./packages/protocol ./packages/sentry_kit ./packages/{package}",
            f"export PATH=~/{FOLDER}/bin:$PATH",
        )
    )


def windows_install(package: str) -> str:
    packages = f".\\packages\\protocol .\\packages\\sentry_kit .\\packages\\{package}"
    return "\n".join(
        (
            f"py -m venv $HOME\\{FOLDER}",
            f"& $HOME\\{FOLDER}\\Scripts\\pip install {packages}",
            f'$env:Path = "$HOME\\{FOLDER}\\Scripts;$env:Path"',
        )
    )
