"""`commander install-service` and `uninstall-service`."""

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from protocol.reasons import reason
from protocol.service_setup import Place, Say, ServiceProblem, install_service, start_service
from protocol.services import Service

from commander.settings import Settings, load_settings
from commander.wheels.store import FOLDER

_LIMIT_S = 120
_FIREWALLS = {
    "ufw": "ufw allow {port}/tcp",
    "firewall-cmd": "firewall-cmd --permanent --add-port={port}/tcp && firewall-cmd --reload",
}


def settings_of_service(service: Service, environment: Mapping[str, str]) -> Settings:
    """Returns the settings that the service will have: those of its file, and its usual data directory."""
    filed = _read_file(Path(service.settings_file))
    return load_settings({service.setting: str(service.data_dir), **filed, **environment})


def install(service: Service, settings: Settings, say: Say, *, start: bool, place: Place | None = None) -> None:
    """Makes user, unit, data folder and, at the first installation, a password. Raises `ServiceProblem`."""
    install_service(service, say, start=False, place=place)
    is_first = _is_first(settings)
    _make_data_dir(service, settings)
    if is_first:
        password = "-".join(secrets.token_hex(2) for _ in range(4))
        _as_account(service, settings, "set-password", text_in=f"{password}\n")
    if start:
        start_service(service)
    say(f"Address: {settings.public_url}")
    if is_first:
        say(f"Password (shown this once; `commander set-password` changes it): {password}")
    say(f"Data: {settings.data_dir}")
    say(f"Rigs and browsers connect to TCP port {settings.port}. {_firewall_hint(settings.port)}")
    if not any((settings.data_dir / FOLDER).glob("minewarden_cpu_gpu_sentry-*.whl")):
        say("Before the first rig, fetch what rigs install: commander fetch-packages")


def _is_first(settings: Settings) -> bool:
    """Returns whether no password is set: there is no database yet, and no setting with a password."""
    is_sqlite = settings.database_url == f"sqlite:///{settings.data_dir / 'commander.db'}"
    return settings.password is None and is_sqlite and not (settings.data_dir / "commander.db").exists()


def _make_data_dir(service: Service, settings: Settings) -> None:
    try:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        if service.account:
            shutil.chown(settings.data_dir, service.account, service.account)
    except (OSError, LookupError) as error:
        raise ServiceProblem(f"The data folder {settings.data_dir} can't be made ({reason(error)}).") from error


def _as_account(service: Service, settings: Settings, command: str, *, text_in: str) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment |= {service.setting: str(settings.data_dir), "HOME": str(settings.data_dir)}
    if sys.platform == "win32":
        return
    try:
        done = subprocess.run(  # noqa: S603
            [sys.executable, "-I", "-m", "commander", command],
            env=environment,
            cwd="/",
            user=service.account,
            group=service.account,
            extra_groups=[],
            input=text_in,
            capture_output=True,
            text=True,
            timeout=_LIMIT_S,
            check=False,
        )
    except PermissionError as error:
        raise ServiceProblem(
            f"The user {service.account} may not run {sys.executable}; install the commander where everybody may read, "
            "such as /opt/minewarden."
        ) from error
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no reason was given"]
        raise ServiceProblem(f"`commander {command}` failed: {lines[-1].removeprefix('commander: ')}")


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
    return {name.strip(): value.strip().strip("\"'") for name, _, value in pairs}
