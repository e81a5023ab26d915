"""`make demo`: one command, and this machine's own figures are there, beside a simulated farm."""

import os
import re
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from free_ports import free_port

from tests.farm import ROOT, eventually

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

SIMULATED = 25


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("COMMANDER_", "CPU_GPU_", "ASIC_"))
    }
    return inherited | {
        "DEMO_DATA_DIR": str(tmp_path / "demo"),
        "COMMANDER_HOST": "127.0.0.1",
        "COMMANDER_PORT": str(free_port()),
    }


@contextmanager
def demo(environment: dict[str, str], output: Path) -> Iterator[httpx.Client]:
    """Runs the demo until Ctrl-C; yields a browser that has logged in with what the demo prints."""
    command = [sys.executable, str(ROOT / "devtools" / "demo.py")]
    with output.open("w") as said, subprocess.Popen(command, env=environment, stdout=said, stderr=said) as process:
        try:
            eventually(
                lambda: "password" in output.read_text() or process.poll() is not None, within_s=60, what="a word"
            )
            with logged_in(environment, output.read_text()) as browser:
                yield browser
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=60) == 0, output.read_text()
        finally:
            if process.poll() is None:
                process.terminate()


@contextmanager
def logged_in(environment: dict[str, str], said: str) -> Iterator[httpx.Client]:
    found = re.search(r"open +(\S+).*?password +(\S+)", said, re.DOTALL)
    assert found, said
    ca = Path(environment["DEMO_DATA_DIR"]) / "commander" / "tls" / "ca.pem"
    with httpx.Client(base_url=found[1], verify=ssl.create_default_context(cafile=ca), timeout=60) as browser:
        assert browser.post("/login", data={"password": found[2]}).status_code == 303
        yield browser


def pages(output: Path) -> list[str]:
    """Returns the one-time addresses of the sentries' pages."""
    return re.findall(r"http://\S+/login\?code=\S+\n", output.read_text())


def rigs(browser: httpx.Client) -> dict[str, Any]:
    return {rig["name"]: rig for rig in browser.get("/api/v1/cpu-gpu-rigs").raise_for_status().json()}


def stand_ins(browser: httpx.Client) -> dict[str, int]:
    """The ASICs that are online and that a real ASIC sentry polls."""
    asics = browser.get("/api/v1/asic-rigs").raise_for_status().json()
    return {each["name"]: each["id"] for each in asics if "stand-in" in each["name"] and each["health"] == "online"}


def all_online(browser: httpx.Client) -> bool:
    return [rig["health"] for rig in rigs(browser).values()].count("online") == SIMULATED + 1


def own_figures(browser: httpx.Client) -> tuple[float | None, int | None]:
    """Returns the load and the memory in use: on a busy machine the load stays at 100 %."""
    own = next(rig for name, rig in rigs(browser).items() if "simulated" not in name)
    return own["latest"]["cpu"]["load_percent"], own["latest"]["memory_used_bytes"]


def test_the_demo_shows_this_machine_moving_ends_with_ctrl_c_and_starts_again_with_the_same_farm(
    environment: dict[str, str], tmp_path: Path
) -> None:
    with demo(environment, tmp_path / "first.out") as browser:
        eventually(lambda: all_online(browser), within_s=60, what="every rig's first report")
        eventually(lambda: len(pages(tmp_path / "first.out")) == 2, within_s=60, what="the sentries' addresses")
        assert [httpx.get(page.strip(), timeout=60).status_code for page in pages(tmp_path / "first.out")] == [303, 303]
        first = own_figures(browser)
        assert None not in first
        eventually(lambda: own_figures(browser) != first, within_s=60, what="other figures of this machine")
        own = rigs(browser)[f"{socket.gethostname()[:40]} (this machine)"]
        eventually(lambda: bool(rigs(browser)[own["name"]]["latest"]["miners"]), within_s=60, what="the stand-in miner")
        before = {name: rig["id"] for name, rig in rigs(browser).items()}
        eventually(lambda: len(stand_ins(browser)) == 10, within_s=60, what="the ASIC sentry's ASICs")
        asics = stand_ins(browser)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(environment["COMMANDER_PORT"]))) != 0
    with demo(environment, tmp_path / "second.out") as browser:
        eventually(lambda: all_online(browser), within_s=60, what="the same farm")
        assert {name: rig["id"] for name, rig in rigs(browser).items()} == before
        eventually(lambda: stand_ins(browser) == asics, within_s=60, what="the same ASICs, online")


def test_a_second_demo_beside_the_first_says_so(environment: dict[str, str], tmp_path: Path) -> None:
    with demo(environment, tmp_path / "first.out"):
        command = [sys.executable, str(ROOT / "devtools" / "demo.py")]
        second = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert second.returncode == 1
    assert second.stderr.startswith("demo: A demo runs already")
    assert second.stderr.count("\n") == 1
