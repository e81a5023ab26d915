"""Writes, enables and removes the service of a program: `install-service` and `uninstall-service` of all three."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath

from protocol.reasons import reason
from protocol.services import Service, task_xml, unit_text

UNITS = Path("/etc/systemd/system")
NO_HOME = PurePosixPath("/nonexistent")  # of an account that owns nothing
WANTED = "multi-user.target.wants"
RUNNING = Path("/run/systemd/system")  # systemd is this system's first process: sd_booted(3)
_LIMIT_S = 120

Say = Callable[[str], None]


class ServiceProblem(Exception):
    """The service can't be installed or removed; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Place:
    """The folder of systemd's units, and whether systemd runs. A test has one of its own."""

    units: Path = UNITS
    runs: bool = True

    def unit(self, service: Service) -> Path:
        return self.units / f"{service.name}.service"

    def link(self, service: Service) -> Path:
        return self.units / WANTED / f"{service.name}.service"


def this_system() -> Place:
    return Place(UNITS, RUNNING.is_dir())


def rendered(service: Service) -> str:
    """Returns what would be installed here: the unit, or on Windows the task."""
    return _task(service) if sys.platform == "win32" else unit_text(service, command_of(service), _data_dir(service))


def command_of(service: Service) -> str:
    """Returns the command line that starts the program of this environment.

    With several versions side by side that is their launcher, which the system's own Python runs.
    """
    environment = Path(sys.prefix)
    launcher = environment.parent / "launcher.py"
    if environment.name == "current" and launcher.is_file():
        base = getattr(sys, "_base_executable", sys.executable)
        return f"{base} -I {launcher} {service.program.replace('-', '_')} {service.argument}"
    if sys.platform == "win32":
        return f'"{environment / "Scripts" / f"{service.program}.exe"}" {service.argument}'
    return f"{environment / 'bin' / service.program} {service.argument}"


def install_service(service: Service, say: Say, *, start: bool, place: Place | None = None) -> None:
    """Writes and enables the service, and starts it or starts it again. Raises `ServiceProblem`."""
    if sys.platform == "win32":
        _install_task(service, say, start=start)
        return
    place = place or this_system()
    _check(place)
    if service.account:
        make_account(service.account, service.data_dir)
    if service.children:
        try:
            make_account(service.children, NO_HOME)
        except ServiceProblem as error:
            say(f"The programs that {service.program} starts will run as root: {error}")
    _write(place.unit(service), unit_text(service, command_of(service), _data_dir(service)))
    if not place.runs:
        _enable_by_link(service, place)
        say(f"The service {service.name} is enabled. systemd does not run now, so it was not started.")
        return
    _systemctl("daemon-reload")
    _systemctl("enable", "--quiet", service.name)
    if start:
        _systemctl("restart", service.name)
    say(f"The service {service.name} is enabled{' and runs' if start else ''}: systemctl status {service.name}")


def start_service(service: Service) -> None:
    """Starts an installed service, or starts it again; does nothing where systemd does not run."""
    if sys.platform == "win32":
        _end_task(service)
        _run("schtasks", "/Run", "/TN", service.name)
    elif RUNNING.is_dir():
        _systemctl("restart", service.name)


def uninstall_service(service: Service, say: Say, *, place: Place | None = None) -> None:
    """Stops and removes the service. Data and user stay. Raises `ServiceProblem`."""
    if sys.platform == "win32":
        _end_task(service)
        _run("schtasks", "/Delete", "/TN", service.name, "/F")
        say(f"The task {service.name} is removed.")
        return
    place = place or this_system()
    _check(place)
    was_there = place.unit(service).exists()
    if place.runs and was_there:
        _systemctl("disable", "--quiet", "--now", service.name)
    for path in (place.link(service), place.unit(service)):
        path.unlink(missing_ok=True)
    with suppress(OSError):
        place.link(service).parent.rmdir()  # only if it is empty
    if place.runs:
        _systemctl("daemon-reload")
    kept = f"its data in {_data_dir(service) or service.data_dir} is kept"
    say(
        f"The service {service.name} is removed; {kept}."
        if was_there
        else f"There is no service {service.name}; {kept}."
    )


def _check(place: Place) -> None:
    if sys.platform != "linux":
        raise ServiceProblem(
            "There are services for Linux with systemd and for Windows only; start the program by hand."
        )
    if os.geteuid() != 0:
        raise ServiceProblem("This needs root; put sudo before the command, or use --print to see the service.")
    if not place.units.is_dir():
        raise ServiceProblem(
            f"This system has no systemd ({place.units} is missing); start the program by what starts services here."
        )


def data_dir_of(service: Service) -> Path:
    """Returns the data directory of the service as it is installed now: the one that the environment names, or else
    its usual one."""
    if sys.platform == "win32":
        usual = Path(os.environ.get("PROGRAMDATA", r"C:\ProgramData"), "Minewarden", service.program)
    else:
        usual = Path(service.data_dir)
    return _data_dir(service) or usual


def _data_dir(service: Service) -> Path | None:
    """Returns the data directory that the environment names; None for the service's usual one."""
    named = os.environ.get(service.setting)
    return Path(named).absolute() if named else None


def make_account(account: str, home: PurePath) -> bool:
    """Makes the account without a password and a shell, unless it is there. Returns whether it was made.

    Raises `ServiceProblem`.
    """
    try:
        known = subprocess.run(["/usr/bin/id", account], capture_output=True, timeout=_LIMIT_S, check=False)  # noqa: S603
    except OSError as error:
        raise ServiceProblem(f"The user {account} can't be looked up ({reason(error)}).") from error
    except subprocess.TimeoutExpired as error:
        raise ServiceProblem(f"The user {account} can't be looked up: `id` does not answer.") from error
    if known.returncode == 0:
        return False
    place = ("--home-dir", str(home), "--no-create-home")
    _run("useradd", "--system", "--user-group", *place, "--shell", "/usr/sbin/nologin", account)
    return True


def _write(path: Path, text: str) -> None:
    new = path.with_name(f".{path.name}.new")
    try:
        new.write_text(text, encoding="utf-8")
        new.chmod(0o644)
        new.replace(path)
    except OSError as error:
        raise ServiceProblem(f"{path} can't be written ({reason(error)}).") from error


def _enable_by_link(service: Service, place: Place) -> None:
    link = place.link(service)
    link.parent.mkdir(mode=0o755, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(place.unit(service))


def _systemctl(*words: str) -> None:
    _run("systemctl", *words)


def _run(*words: str) -> None:
    path = {"PATH": f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin"} if sys.platform != "win32" else {}
    try:
        done = subprocess.run(  # noqa: S603
            words, capture_output=True, text=True, timeout=_LIMIT_S, check=False, env={**os.environ, **path}
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ServiceProblem(f"{words[0]} can't be run ({error}).") from error
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or [f"code {done.returncode}"]
        raise ServiceProblem(f"`{' '.join(words)}` failed: {lines[-1].rstrip('.')}.")


def _task(service: Service) -> str:
    return task_xml(service, command_of(service), data_dir_of(service))


def _end_task(service: Service) -> None:
    """Ends the running task: `/Delete` would leave it running, and `/Run` would not start it again."""
    with suppress(ServiceProblem):  # it does not run
        _run("schtasks", "/End", "/TN", service.name)


def _install_task(service: Service, say: Say, *, start: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        xml = Path(folder, "task.xml")
        xml.write_text(_task(service), encoding="utf-16")
        _run("schtasks", "/Create", "/TN", service.name, "/XML", str(xml), "/F")
    if start:
        start_service(service)
    say(f"The task {service.name} is made{' and runs' if start else ''}.")
