"""Each sentry's wheel, alone in an empty environment: a shared workspace environment hides missing dependencies."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.farm import ROOT, eventually, free_port

pytestmark = pytest.mark.system

UV = ROOT / ".tools" / "bin" / "uv"
SENTRIES = {"cpu-gpu-sentry": "cpu_gpu_sentry", "asic-sentry": "asic_sentry"}


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
    path.write_text("\n".join(line for line in lock if line and not line.startswith((" ", "#"))) + "\n")
    return path


@pytest.mark.timeout(300)
@pytest.mark.parametrize("program", list(SENTRIES))
def test_a_sentry_s_wheel_alone_starts_shows_its_page_and_ends(program: str, wheels: Path, tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    uv("venv", "--quiet", "--python", sys.executable, venv)
    uv(
        *("pip", "install", "--quiet", "--python", venv, "--find-links", wheels),
        *("--constraints", constraints(tmp_path), f"minewarden-{program}"),
    )
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
            eventually(lambda: _answers(port, process, log), within_s=30, what="the local page")
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=10) == 0, log.read_text()
        finally:
            process.kill()
    assert "Traceback" not in log.read_text()


def _answers(port: int, process: "subprocess.Popen[bytes]", log: Path) -> bool:
    assert process.poll() is None, log.read_text()
    try:
        return "Status" in httpx.get(f"http://127.0.0.1:{port}/", timeout=5).text
    except httpx.TransportError:
        return False
