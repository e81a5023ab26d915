"""Finds our own wheels: the sentries', and those that they need.

An installed commander has them in its package `commander_assets`, where its build put them. In a checkout they are
built from the code that stands there now.
"""

import subprocess
import sys
import zipfile
from email import message_from_bytes
from importlib.resources import files
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from commander.wheels.problems import CannotFetch

# In the order in which they are put into a store: those that others need come first.
PROJECTS = ("minewarden-protocol", "minewarden-sentry-kit", "minewarden-cpu-gpu-sentry", "minewarden-asic-sentry")
LOCK = "requirements.lock"
_BUILD_LIMIT_S = 300


def checkout() -> Path | None:
    """Returns the root of the checkout that this commander runs from; None if it is an installed one."""
    root = Path(str(files("commander"))).parents[3]
    return root if (root / "packages" / "cpu_gpu_sentry" / "pyproject.toml").is_file() else None


def lock_text() -> str:
    """Raises `CannotFetch`."""
    root = checkout()
    path = (root or Path(str(files("commander_assets")))) / LOCK
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise CannotFetch(_incomplete()) from error


def own_wheels(work: Path) -> list[Path]:
    """Returns the paths of our own wheels, in the order of `PROJECTS`.

    In a checkout they are built in the folder `work`. Raises `CannotFetch`.
    """
    root = checkout()
    if root is None:
        return _in_order(Path(str(files("commander_assets")), "wheels"))
    for project in PROJECTS:
        _build(root / "packages" / project.removeprefix("minewarden-").replace("-", "_"), work)
    return _in_order(work)


def _in_order(folder: Path) -> list[Path]:
    found = {canonicalize_name(path.name.partition("-")[0]): path for path in sorted(folder.glob("*.whl"))}
    if not found.keys() >= set(PROJECTS):
        raise CannotFetch(_incomplete())
    return [found[canonicalize_name(project)] for project in PROJECTS]


def required_by(wheel: Path) -> list[str]:
    """Returns the normalized names of the libraries that a wheel requires, without its optional extras."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
        listed = message_from_bytes(archive.read(name)).get_all("Requires-Dist", [])
    requirements = [Requirement(each) for each in listed]
    return [
        canonicalize_name(each.name) for each in requirements if each.marker is None or "extra" not in str(each.marker)
    ]


def _build(package: Path, work: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(work)]
    try:
        done = subprocess.run(  # noqa: S603
            command, cwd=package, capture_output=True, text=True, timeout=_BUILD_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise CannotFetch(
            f"The wheel of {package} was not built within {_BUILD_LIMIT_S} s; type the same command again."
        ) from error
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no reason was given"]
        raise CannotFetch(
            f"The wheel of {package} can't be built ({lines[-1].strip()}); type `make setup` and try again."
        )


def _incomplete() -> str:
    return (
        "This commander was installed without the sentries' wheels; install the commander's wheel that `make dist` "
        "makes in a whole checkout."
    )
