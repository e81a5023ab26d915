"""The step that the line of an installation reports itself: the sentry is installed, and connects next."""

import asyncio
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from commander.wheels.scripts import ASIC, CPU_GPU, Sentry, powershell_script, shell_script
from commander.wheels.store import Wheel
from commander_farm import Farm, Rig, on_sqlite
from test_enrolment import NOTHING_YET, ticks_in
from test_page_sockets import open_page, read_until

PIP = Wheel("pip-1.0-py3-none-any.whl", "pip", "1.0", "0" * 64)


def reported(sentry: Sentry, url: str, token: str, home: Path) -> "subprocess.CompletedProcess[str]":
    """Runs what the script does once it has installed the sentry, and no more. `home` is where it has done so."""
    python = home / "current" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    script = shell_script(replace(sentry, home_dir=str(home)), url, "", PIP)
    script, count = re.subn(r'^main "\$@"$', f"TOKEN={token}\nreport_installed", script, flags=re.MULTILINE)
    assert count == 1
    return subprocess.run(["sh", "-c", script], capture_output=True, text=True, timeout=120, check=False)


@on_sqlite
@pytest.mark.parametrize("sentry", [CPU_GPU, ASIC], ids=["rig", "ASIC"])
async def test_the_line_ticks_that_it_has_installed_and_nothing_that_comes_later(
    served_farm: Farm, sentry: Sentry, tmp_path: Path
) -> None:
    farm, is_rig = served_farm, sentry is CPU_GPU
    await farm.log_in()
    rig = await (farm.add() if is_rig else farm.add_asic())
    async with await open_page(farm, f"{'/cpu-gpu' if is_rig else '/asics'}/{rig.id}") as socket:
        done = await asyncio.to_thread(reported, sentry, str(farm.client.base_url), rig.token, tmp_path)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        frame = await read_until(socket, "Installed ✓")
    assert ticks_in(frame) == ["Installed ✓", *NOTHING_YET[1:]]


def reported_by_powershell(url: str, token: str) -> "subprocess.CompletedProcess[str]":
    """Runs the Python of the script for Windows: a text in single quotes, in which two of them mean one."""
    function = powershell_script(url, "", PIP).partition("function Send-Installed")[2].partition("\n}")[0]
    code = "".join(re.findall(r"'((?:[^']|'')*)'(?: \+)?$", function.partition("$code = ")[2], re.MULTILINE))
    environment = {"MINEWARDEN_TOKEN": token}
    command = [sys.executable, "-I", "-c", code.replace("''", "'"), f"{url}/api/v1/sentry/installed"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)


@on_sqlite
async def test_the_line_of_windows_ticks_it_too(served_farm: Farm) -> None:
    await served_farm.log_in()
    rig = await served_farm.add()
    async with await open_page(served_farm, f"/cpu-gpu/{rig.id}") as socket:
        done = await asyncio.to_thread(reported_by_powershell, str(served_farm.client.base_url), rig.token)
        assert (done.returncode, done.stderr) == (0, "")
        await read_until(socket, "Installed ✓")


@on_sqlite
async def test_an_installation_goes_on_where_the_step_can_not_be_reported(served_farm: Farm, tmp_path: Path) -> None:
    wrong = Rig(1, "", f"mw_rig_{'0' * 64}")
    done = await asyncio.to_thread(reported, CPU_GPU, str(served_farm.client.base_url), wrong.token, tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@on_sqlite
async def test_only_a_token_reports_an_installation(farm: Farm) -> None:
    """That of a site or a farm is of no rig yet, so nothing is ticked."""
    site = await farm.site_token()
    assert (await farm.client.post("/api/v1/sentry/installed", headers=site)).status_code == 204
    assert (await farm.client.post("/api/v1/sentry/installed")).status_code == 401
