"""`commander install-service` and `uninstall-service`."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from protocol.reasons import reason
from protocol.service_setup import Place, Say, ServiceProblem, data_dir_of, install_service, start_service
from protocol.services import Service

from commander import VERSION
from commander.accounts.domain import new_password
from commander.settings import PREFIX, Settings, load_settings
from commander.wheels.scripts import CPU_GPU
from commander.wheels.store import FOLDER, WheelStore

_LIMIT_S = 120
_QUOTED = re.compile(r"""'(?P<single>[^']*)'\s*|"(?P<double>(?:[^"\\]|\\.)*)"\s*""")
_PAIR = re.compile(r"\\(.)")
_ESCAPED = re.compile(r"""\\(["\\`$])""")
_FIREWALLS = {
    "ufw": "ufw allow {port}/tcp",
    "firewall-cmd": "firewall-cmd --permanent --add-port={port}/tcp && firewall-cmd --reload",
}


def settings_of_service(service: Service) -> Settings:
    """Returns the settings that the service will have: its data directory and those of its file.

    Of the environment that installs it the service has nothing but the name of its data directory.
    """
    filed = _read_file(Path(service.settings_file))
    return load_settings({service.setting: str(data_dir_of(service)), **filed})


def install(
    service: Service,
    settings: Settings,
    say: Say,
    *,
    start: bool,
    packages_follow: bool = False,
    place: Place | None = None,
) -> None:
    """Makes user, unit, data folder and, at the first installation, a password. Raises `ServiceProblem`.

    `packages_follow`: the caller fetches the packages next, so nothing asks a person to.
    """
    install_service(service, say, start=False, place=place)
    account = None if sys.platform == "win32" else service.account
    is_first = _is_first(settings)
    _make_data_dir(account, settings)
    if is_first:
        password = new_password()
        _set_password(service, account, settings, password)
    if start:
        start_service(service)
    say(f"Address: {settings.public_url}")
    if is_first:
        say(f"Password (shown this once): {password}")
        say(f"To change the password: {_line(service, account, settings, 'set-password')}")
    say(f"Data: {settings.data_dir}")
    say(f"Rigs and browsers connect to TCP port {settings.port}. {_firewall_hint(settings.port)}")
    if not packages_follow and not WheelStore(settings.data_dir / FOLDER).has(CPU_GPU.distribution, VERSION):
        say(f"Before the first rig, fetch what rigs install: {_line(service, account, settings, 'fetch-packages')}")


def _line(service: Service, account: str | None, settings: Settings, command: str) -> str:
    """Returns the line that an administrator types for a command with the service's data, as the service's user."""
    if sys.platform == "win32":
        return f'cmd /c "set "{service.setting}={settings.data_dir}" && "{sys.executable}" -m commander {command}"'
    as_account = ["runuser", "-u", account, "--"] if account else []
    program = str(Path(sys.prefix, "bin", service.program))
    return shlex.join(["sudo", *as_account, "env", f"{service.setting}={settings.data_dir}", program, command])


def _is_first(settings: Settings) -> bool:
    """Returns whether no password is set: there is no database yet, and no setting with a password."""
    is_sqlite = settings.database_url == f"sqlite:///{settings.data_dir / 'commander.db'}"
    return settings.password is None and is_sqlite and not (settings.data_dir / "commander.db").exists()


def _make_data_dir(account: str | None, settings: Settings) -> None:
    try:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        if account:
            shutil.chown(settings.data_dir, account, account)
    except (OSError, LookupError) as error:
        raise ServiceProblem(f"The data folder {settings.data_dir} can't be made ({reason(error)}).") from error


def _set_password(service: Service, account: str | None, settings: Settings, password: str) -> None:
    """Sets it as the service's user, so that the files are that user's. Without `account`: as this user."""
    foreign = ("PYTHON", PREFIX)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    environment |= {service.setting: str(settings.data_dir), "HOME": str(settings.data_dir)}
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-m", "commander", "set-password"],
            env=environment,
            cwd="/",
            user=account,
            group=account,
            extra_groups=[] if account else None,
            input=f"{password}\n",
            capture_output=True,
            text=True,
            timeout=_LIMIT_S,
            check=False,
        )
    except PermissionError as error:
        raise ServiceProblem(
            f"The user {account} may not run {sys.executable}; install the commander where everybody may read, "
            "such as /opt/minewarden."
        ) from error
    except subprocess.TimeoutExpired as error:
        raise ServiceProblem(
            f"`commander set-password` did not end within {_LIMIT_S} s. Type the same command again."
        ) from error
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no reason was given"]
        raise ServiceProblem(f"`commander set-password` failed: {lines[-1].removeprefix('commander: ')}")


def _firewall_hint(port: int) -> str:
    for program, command in _FIREWALLS.items():
        if shutil.which(program) or Path("/usr/sbin", program).exists():
            return f"If the firewall is on: {command.format(port=port)}"
    return "If this machine has a firewall, open that port."


def _read_file(path: Path) -> dict[str, str]:
    """Returns what an EnvironmentFile of systemd sets."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ServiceProblem(f"{path} can't be read ({reason(error)}).") from error
    pairs = [line.strip().partition("=") for line in lines if "=" in line and not line.strip().startswith(("#", ";"))]
    return {name.strip(): _unquoted(value.strip(), name.strip(), path) for name, _, value in pairs}


def _unquoted(value: str, name: str, path: Path) -> str:
    """Returns the value as systemd reads it.

    Quotes count only at its beginning. A backslash does not count in single quotes.
    Raises `ServiceProblem` if systemd would take the next lines into the value.
    """
    parts = list[str]()
    while quoted := _QUOTED.match(value):
        parts.append(_ESCAPED.sub(r"\1", quoted["double"]) if quoted["single"] is None else quoted["single"])
        value = value[quoted.end() :]
    if value.startswith(("'", '"')):
        raise ServiceProblem(f"{path}: the value of {name} has a quote that its line does not close. Close it.")
    if _PAIR.sub("", value).endswith("\\"):
        raise ServiceProblem(
            f"{path}: the value of {name} ends with a backslash, so the next line would belong to it. Remove it, or "
            "write the value in single quotes."
        )
    return "".join((*parts, _PAIR.sub(r"\1", value)))
