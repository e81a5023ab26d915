"""Makes a version beside the present one: a virtual environment with unpacked wheels. It needs no pip and no internet.

Wheels are unpacked as https://packaging.python.org/en/latest/specifications/binary-distribution-format/ says.
"""

import configparser
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path, PurePosixPath

from protocol.reasons import reason
from sentry_kit.launcher import INSTALLED, VERSIONS, python_of

from cpu_gpu_sentry.updates.installation import UpdateFailed

_LIMIT_S = 120.0
_LIMIT_BYTES = 1024 * 1024 * 1024
_WHEEL_PLACES = ("purelib", "platlib")


def build(state: Path, version: str, wheels: Sequence[bytes]) -> None:
    """Makes `versions/VERSION`, or replaces it. Raises `UpdateFailed`; then there is nothing new."""
    folder, target = state / VERSIONS / f".new-{version}", state / VERSIONS / version
    try:
        shutil.rmtree(folder, ignore_errors=True)
        _run([sys.executable, "-I", "-m", "venv", "--without-pip", "--symlinks", str(folder)])
        (packages,) = folder.glob("lib/python*/site-packages")
        for wheel in wheels:
            _unpack(wheel, packages, folder / "bin", python_of(state, version))
        _check(folder, version)
        (folder / INSTALLED).touch()
        shutil.rmtree(target, ignore_errors=True)
        os.sync()  # a version whose files are lost at a power cut would look complete
        folder.rename(target)
    except OSError as error:
        raise UpdateFailed(f"Version {version} can't be written below {state} ({reason(error)}).") from error
    except (zipfile.BadZipFile, ValueError, KeyError, configparser.Error) as error:
        raise UpdateFailed(f"A wheel of version {version} can't be unpacked ({error}).") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _check(folder: Path, version: str) -> None:
    """A version that can't even name itself is not tried."""
    printed = _run([str(folder / "bin" / "python"), "-I", "-m", "cpu_gpu_sentry", "--version"])
    if version not in printed.split():
        raise UpdateFailed(f"The wheels of version {version} contain {printed.strip()[:100] or 'another version'}.")


def _unpack(wheel: bytes, packages: Path, programs: Path, python: Path) -> None:
    with zipfile.ZipFile(BytesIO(wheel)) as archive:
        if sum(each.file_size for each in archive.infolist()) > _LIMIT_BYTES:
            raise ValueError("it is too large")
        for member in archive.infolist():
            if not member.is_dir() and (place := _place(member.filename, packages, programs)) is not None:
                place.parent.mkdir(parents=True, exist_ok=True)
                content = archive.read(member)
                is_script = place.parent == programs
                place.write_bytes(_with_python(content, python) if is_script else content)
                place.chmod(0o755 if is_script or member.external_attr >> 16 & 0o111 else 0o644)
        for name in archive.namelist():
            if name.endswith(".dist-info/entry_points.txt"):
                _write_programs(archive.read(name).decode(), programs, python)


def _place(name: str, packages: Path, programs: Path) -> Path | None:
    """Returns where a wheel's file belongs; None for headers and data, which no sentry has. Raises `ValueError`."""
    parts = PurePosixPath(name).parts
    if name.startswith("/") or ".." in parts or "\\" in name:
        raise ValueError(f"the path {name[:100]} leads out of it")
    if not parts[0].endswith(".data"):
        return packages.joinpath(*parts)
    if len(parts) > 2 and parts[1] in _WHEEL_PLACES:
        return packages.joinpath(*parts[2:])
    return programs / parts[2] if len(parts) == 3 and parts[1] == "scripts" else None


def _with_python(script: bytes, python: Path) -> bytes:
    first, newline, rest = script.partition(b"\n")
    return b"#!" + os.fsencode(python) + newline + rest if first.startswith(b"#!python") else script


def _write_programs(entry_points: str, programs: Path, python: Path) -> None:
    """Writes the commands of a package, such as `cpu-gpu-sentry`."""
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # names keep their capitals
    parser.read_string(entry_points)
    for name, target in parser.items("console_scripts") if parser.has_section("console_scripts") else []:
        module, _, function = target.partition("[")[0].strip().partition(":")
        if PurePosixPath(name).name != name:
            raise ValueError(f"the program {name[:100]} leads out of it")
        path = programs / name
        path.write_text(f"#!{python}\nimport sys\nfrom {module} import {function}\nsys.exit({function}())\n")
        path.chmod(0o755)


def _run(command: Sequence[str]) -> str:
    """Returns what the program prints. Raises `UpdateFailed`."""
    try:
        done = subprocess.run(  # noqa: S603 - Python
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise UpdateFailed(f"{Path(command[0]).name} did not end within {_LIMIT_S:.0f} s.") from error
    printed = (done.stdout + done.stderr).decode("utf-8", "replace").strip()
    if done.returncode:
        raise UpdateFailed(f"The new version can't be made: {printed[-300:] or f'exit code {done.returncode}'}")
    return printed
