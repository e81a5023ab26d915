"""Wheels of the CPU/GPU sentry in several versions, and of everything that it needs, without the internet.

The sentry's own packages are built once; other versions are the same wheels with another number. The wheels of
dependencies are packed from the tests' own environment.
"""

import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import Distribution, distribution
from io import BytesIO
from pathlib import Path

from cpu_gpu_sentry.updates.wheels import needs
from packaging.utils import canonicalize_name
from protocol.command_messages import WheelHash

from tests.farm import ROOT
from tests.playbook_software import sha256

OWN = {
    "protocol": "minewarden_protocol",
    "sentry_kit": "minewarden_sentry_kit",
    "cpu_gpu_sentry": "minewarden_cpu_gpu_sentry",
}
SENTRY = OWN["cpu_gpu_sentry"]
CRASHES = 'def run(settings: object) -> None:\n    raise RuntimeError("this version is broken")\n'
SILENT = """import time

def run(settings: object) -> None:
    while True:
        time.sleep(60)
"""


@cache
def built() -> dict[str, bytes]:
    """The sentry's own wheels as they are now, by file name."""
    return {name: body for package in OWN for name, body in _build(ROOT / "packages" / package)}


def _build(source: Path) -> Iterator[tuple[str, bytes]]:
    ask = "import sys, hatchling.build as b; print(b.build_wheel(sys.argv[1]))"
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", ask, folder]
        subprocess.run(command, cwd=source, check=True, capture_output=True, timeout=120)
        for path in Path(folder).glob("*.whl"):
            yield path.name, path.read_bytes()


def version_now() -> str:
    return distribution("minewarden-cpu-gpu-sentry").version


def own_wheels(version: str, changed: Mapping[str, str] = {}) -> dict[str, bytes]:
    """The sentry's own wheels as another version. `changed` are files of it with another content."""
    old = version_now()
    return {
        name.replace(f"-{old}-", f"-{version}-"): _renumbered(body, old, version, changed)
        for name, body in built().items()
    }


def _renumbered(wheel: bytes, old: str, new: str, changed: Mapping[str, str]) -> bytes:
    packed = BytesIO()
    with zipfile.ZipFile(BytesIO(wheel)) as source, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
        for member in source.infolist():
            body = source.read(member)
            if member.filename.endswith("/METADATA"):
                body = body.replace(f"Version: {old}\n".encode(), f"Version: {new}\n".encode(), 1)
                for package in OWN.values():
                    named = package.replace("_", "-")
                    body = body.replace(f"{named}=={old}".encode(), f"{named}=={new}".encode())
            body = changed[member.filename].encode() if member.filename in changed else body
            target.writestr(member.filename.replace(f"-{old}.dist-info/", f"-{new}.dist-info/"), body)
    return packed.getvalue()


@cache
def dependencies() -> dict[str, bytes]:
    """Wheels of everything that the sentry needs besides its own packages, by file name."""
    wheels: dict[str, bytes] = {}
    waiting, seen = [need for body in built().values() for need in needs(body)], {*map(canonicalize_name, OWN.values())}
    while waiting:
        name = canonicalize_name(waiting.pop().name)
        if name not in seen:
            seen.add(name)
            file_name, body = _packed(distribution(name))
            wheels[file_name] = body
            waiting += needs(body)
    return wheels


def _packed(found: Distribution) -> tuple[str, bytes]:
    facts = found.read_text("WHEEL") or ""
    tags = [line.removeprefix("Tag: ") for line in facts.splitlines() if line.startswith("Tag: ")]
    parts = [".".join(dict.fromkeys(part)) for part in zip(*(tag.split("-") for tag in tags), strict=True)]
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path in found.files or []:
            if ".." not in path.parts and "__pycache__" not in path.parts:
                archive.writestr(str(path), path.read_binary())
    name = canonicalize_name(found.name).replace("-", "_")
    return f"{name}-{found.version}-{'-'.join(parts)}.whl", packed.getvalue()


def hashes(wheels: Mapping[str, bytes]) -> list[WheelHash]:
    return [WheelHash(file_name=name, sha256=sha256(body)) for name, body in wheels.items()]
