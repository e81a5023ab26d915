"""`make dist`: the five wheels, twice the same bytes; the commander's has all that it hands out to rigs."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.farm import ROOT
from tests.typed import checkout

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

WHEELS = ("protocol", "sentry_kit", "cpu_gpu_sentry", "asic_sentry", "commander")


def made(folder: Path) -> dict[str, bytes]:
    root = checkout(folder / "minewarden")
    shutil.copy(ROOT / "requirements.lock", root)
    command = [sys.executable, str(ROOT / "devtools" / "make_dist.py"), str(folder / "dist"), "--root", str(root)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stderr
    return {path.name: path.read_bytes() for path in (folder / "dist").iterdir() if path.name != ".gitignore"}


def test_two_builds_in_two_folders_are_the_same_bytes(tmp_path: Path) -> None:
    first, second = made(tmp_path / "first"), made(tmp_path / "a longer name")
    assert first == second
    names = sorted(name.split("-")[0] for name in first if name.endswith(".whl"))
    assert names == sorted(f"minewarden_{name}" for name in WHEELS)
    (commander,) = (tmp_path / "first" / "dist").glob("minewarden_commander-*.whl")
    with zipfile.ZipFile(commander) as wheel:
        inside = wheel.namelist()
        ours = [name for name in inside if name.startswith("commander_assets/wheels/")]
        handed_out = {Path(name).name: wheel.read(name) for name in ours}
    assert handed_out == {name: content for name, content in first.items() if name in handed_out}
    assert len(handed_out) == 4
    assert {"commander_assets/manifest.json", "commander_assets/requirements.lock"} <= set(inside)
    assert "commander/wheels/templates/sentry.sh" in inside
