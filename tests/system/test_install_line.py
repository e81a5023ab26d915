"""The line that a dialog hands out, typed on a system in whose network there is nothing but the commander.

The system is this machine's own, below a layer that takes all changes. `MINEWARDEN_DEBIAN_ROOTS` names others, with
colons between: folders that `debootstrap --variant=minbase --include=curl,python3` made. They are not written to.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from commander.wheels.fetching import fetch_packages
from commander.wheels.targets import PYTHONS, SYSTEMS, WheelTarget
from free_ports import free_port

from tests.bare_root import enter
from tests.farm import ROOT

pytestmark = [pytest.mark.system, pytest.mark.timeout(1200)]

LOWERS = os.environ.get("MINEWARDEN_DEBIAN_ROOTS", "/").split(":")
_PYTHON = "import sys, platform; print(*sys.version_info[:2], platform.machine())"


def in_its_own_network(*words: str | Path) -> "subprocess.CompletedProcess[str]":
    command = [*enter(), sys.executable, *map(str, words)]
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'devtools'}"}
    return subprocess.run(command, capture_output=True, text=True, timeout=1000, check=False, cwd=ROOT, env=environment)


def target_of(lower: Path) -> WheelTarget:
    """Returns the interpreter of that system, so that wheels for no other are fetched."""
    asked = subprocess.run(
        ["chroot", lower, "/usr/bin/python3", "-I", "-c", _PYTHON], capture_output=True, text=True, check=True
    )
    major, minor, machine = asked.stdout.split()
    assert (int(major), int(minor)) in PYTHONS
    return WheelTarget((int(major), int(minor)), next(each for each in SYSTEMS if each.machine == machine))


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="needs root, for mounts and a network")
@pytest.mark.parametrize("lower", LOWERS)
def test_the_line_makes_a_reporting_rig_and_uninstalling_leaves_nothing(lower: str, tmp_path: Path) -> None:
    for name in ("try", "root"):
        (tmp_path / name).mkdir()
    possible = in_its_own_network(ROOT / "tests" / "bare_root.py", lower, tmp_path / "try")
    if possible.returncode:
        pytest.skip(f"a system to install on can't be made here: {possible.stderr.strip()}")
    data = tmp_path / "commander" / "data"
    data.mkdir(parents=True)
    fetch_packages(data, lambda line: None, [target_of(Path(lower))])
    done = in_its_own_network("-m", "tests.install_by_line", lower, tmp_path / "root", data, str(free_port()))
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    check_rig(facts["rig"])
    check_asics(facts["asics"])


def check_rig(facts: dict[str, Any]) -> None:
    assert facts["line"].startswith("curl -fsSk --pinnedpubkey 'sha256//")
    assert facts["curl with a wrong pin"] == 90
    assert "does not match" in facts["wrong pin"]["err"]
    assert facts["dry run"]["code"] == 0
    assert "nothing was changed" in facts["dry run"]["out"]
    assert facts["after nothing"] == []
    assert facts["first"]["code"] == 0, facts["first"]
    assert f"/cpu-gpu/{facts['rig id']}" in facts["first"]["out"]
    assert (facts["again"]["code"], "is there" in facts["again"]["out"]) == (0, True), facts["again"]
    assert facts["by farm token"]["code"] == 0, facts["by farm token"]
    assert facts["uses"] == [0], "this rig has a token already"
    assert "online" in facts["command"]["out"], facts["command"]
    assert facts["left before uninstalling"] > 1000
    assert facts["miners' user"]["out"].endswith("\n711\n"), facts["miners' user"]
    assert facts["miners' user after"] != 0
    assert (facts["uninstall"]["code"], "Mining" in facts["uninstall"]["out"]) == (0, True), facts["uninstall"]
    assert facts["left behind"] == []


def check_asics(facts: dict[str, Any]) -> None:
    assert facts["first"]["code"] == 0, facts["first"]
    assert facts["list"]["code"] == 0, facts["list"]
    assert facts["uninstall"]["code"] == 0, facts["uninstall"]
    assert facts["left behind"] == []
