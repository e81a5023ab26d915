"""Programs that are measured beside ours: pyasic and pyasic-rs from PyPI, VictoriaMetrics from Debian.

`make bench PEERS=1` fetches them into a folder that goes with the run. Nothing of them is installed anywhere else, and
no root is needed.
"""

import importlib.machinery
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.farm import ROOT

PYTHON_PEERS = ("pyasic==0.79.0", "pyasic-rs==0.8.6")
FOLDER = "BENCH_PEERS"  # the environment variable that holds it
VICTORIA_METRICS = "victoria-metrics"


@contextmanager
def fetched_peers() -> Iterator[None]:
    """Fetches the peers where `PEERS` is set; prints the reason where one can't be fetched."""
    if not os.environ.get("PEERS"):
        yield
        return
    with tempfile.TemporaryDirectory(prefix="minewarden-peers-") as folder:
        os.environ[FOLDER] = folder
        _fetch_libraries(Path(folder))
        _fetch_victoria_metrics(Path(folder))
        yield


def library_folder(name: str) -> Path | None:
    """Returns where a peer's library was fetched to."""
    folder = Path(os.environ.get(FOLDER, "/nonexistent")) / "python"
    return folder if importlib.machinery.PathFinder.find_spec(name, [str(folder)]) else None


def victoria_metrics() -> str | None:
    """Returns the program's path."""
    fetched = Path(os.environ.get(FOLDER, "/nonexistent")) / "usr" / "bin" / VICTORIA_METRICS
    return str(fetched) if fetched.exists() else shutil.which(VICTORIA_METRICS)


def _fetch_libraries(folder: Path) -> None:
    uv = str(ROOT / ".tools" / "bin" / "uv")
    target = ("--python", sys.executable, "--target", str(folder / "python"))
    for peer in PYTHON_PEERS:
        _run([uv, "pip", "install", "--quiet", *target, peer], folder)


def _fetch_victoria_metrics(folder: Path) -> None:
    _run(["apt-get", "-o", "APT::Sandbox::User=root", "download", "-qq", VICTORIA_METRICS], folder)
    for package in folder.glob(f"{VICTORIA_METRICS}_*.deb"):
        _run(["dpkg-deb", "--extract", str(package), str(folder)], folder)


def _run(command: list[str], folder: Path) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    except OSError as error:
        print(f"  ({command[0]}: {error})")
        return
    if done.returncode:
        print(f"  ({' '.join(command[:3])}: {done.stderr.strip().splitlines()[-1:]})")
