"""Each sentry's wheel, alone in an empty environment: a shared workspace environment hides missing dependencies.

And the ASIC sentry's with its optional extra, which reads a device.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from antminer_web import serving
from asic_sentry.failures import FailureKind
from fake_asics import READ_ONLY, make_asics, running
from free_ports import free_port

from tests.farm import ROOT, eventually

pytestmark = pytest.mark.system

UV = ROOT / ".tools" / "bin" / "uv"
SENTRIES = {"cpu-gpu-sentry": "cpu_gpu_sentry", "asic-sentry": "asic_sentry"}
EXTRA = "pyasic-rs==0.8.6"  # not in the lock, which is what everybody installs
ASK_BY_EXTRA = """
import asyncio, sys
import msgspec
from asic_sentry.dialects import pyasic_rs
from asic_sentry.poll import Identity, poll, specs_of
from protocol.asic_messages import AsicSpecs

async def main(ip):
    identity = Identity(ip=ip, port=4028, dialect="pyasic_rs", specs=AsicSpecs())
    return await specs_of(identity), await poll(identity)

print(msgspec.json.encode(asyncio.run(main(sys.argv[1]))).decode())
pyasic_rs.end_process(0)
"""


def uv(*arguments: str | Path) -> None:
    command = [str(UV), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sentries' wheels and those of their local dependencies."""
    if not UV.exists():
        pytest.skip("uv is not there; `make setup` brings it")
    folder = tmp_path_factory.mktemp("wheels")
    for package in ("protocol", "sentry_kit", *SENTRIES.values()):
        source = ROOT / "packages" / package
        uv(
            "build",
            "--quiet",
            "--wheel",
            "--python",
            sys.executable,
            "--no-build-isolation",
            "--out-dir",
            folder,
            source,
        )
    return folder


def constraints(folder: Path) -> Path:
    """The lock's versions, without its hashes: they hold for downloads, and the wheels here have none."""
    lock = (ROOT / "requirements.lock").read_text().replace(" \\\n", "\n").splitlines()
    path = folder / "constraints.txt"
    pins = [line for line in lock if line and not line.startswith((" ", "#"))]
    path.write_text("\n".join([*pins, EXTRA]) + "\n")
    return path


def installed(what: str, wheels: Path, folder: Path) -> Path:
    """An environment with this alone, and what it needs."""
    venv = folder / "venv"
    uv("venv", "--quiet", "--python", sys.executable, venv)
    uv(
        *("pip", "install", "--quiet", "--python", venv, "--find-links", wheels),
        *("--constraints", constraints(folder), f"minewarden-{what}"),
    )
    return venv


@pytest.mark.timeout(300)
@pytest.mark.parametrize("program", list(SENTRIES))
def test_a_sentry_s_wheel_alone_starts_shows_its_page_and_ends(program: str, wheels: Path, tmp_path: Path) -> None:
    venv = installed(program, wheels, tmp_path)
    port, prefix = free_port(), program.upper().replace("-", "_")
    clean = {name: value for name, value in os.environ.items() if not name.startswith((prefix, "PYTHON"))}
    environment = clean | {f"{prefix}_DATA_DIR": str(tmp_path / "data"), f"{prefix}_UI_PORT": str(port)}
    log = tmp_path / "log"
    with (
        log.open("wb") as out,
        subprocess.Popen(
            [str(venv / "bin" / program), "run"], env=environment, stdout=out, stderr=out, cwd=tmp_path
        ) as process,
    ):
        try:
            eventually(lambda: _answers(port, process, log), within_s=60, what="the local page")
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=60) == 0, log.read_text()
        finally:
            process.kill()
    assert "Traceback" not in log.read_text()


def _answers(port: int, process: "subprocess.Popen[bytes]", log: Path) -> bool:
    assert process.poll() is None, log.read_text()
    try:
        return "Status" in httpx.get(f"http://127.0.0.1:{port}/", timeout=5).text
    except httpx.TransportError:
        return False


@pytest.mark.timeout(300)
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may serve at port 80, where the library asks")
async def test_the_extra_for_other_firmware_reads_a_device_and_its_absence_is_a_failure(
    wheels: Path, tmp_path: Path, network: str
) -> None:
    venv = await asyncio.to_thread(installed, "asic-sentry[all-firmware]", wheels, tmp_path)
    asics = make_asics(1, network, ["antminer"])
    async with running(asics) as farm, serving([asics[0].ip]):
        specs, sample = await asked_by_extra(venv, asics[0].ip)
    assert {question.split()[1] for question in farm.commands | farm.foreign | farm.violations} <= READ_ONLY
    assert (specs["model"], specs["mac"]) == ("S19Pro", "02:FA:CE:00:00:01")
    assert sample["log"]["hashrate_hs"] == pytest.approx(110e12, rel=0.1)
    assert [board["chips"] for board in sample["log"]["boards"]] == [114, 114, 114]
    for failure in await asked_by_extra(venv, asics[0].ip):
        assert failure["kind"] in set(FailureKind)


async def asked_by_extra(venv: Path, ip: str) -> list[dict[str, Any]]:
    """Returns the recognised device and a poll. They are made in a process of its own, which the library may abort."""
    process = await asyncio.create_subprocess_exec(
        *(str(venv / "bin" / "python"), "-I", "-c", ASK_BY_EXTRA, ip),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    told, complaints = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 0, complaints.decode()
    answers: list[dict[str, Any]] = json.loads(told.splitlines()[-1])
    return answers
