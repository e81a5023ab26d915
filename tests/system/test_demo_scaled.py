"""`make demo-scaled`: one command, and both web nodes show the farm, whichever process is killed meanwhile."""

import re
import signal
import ssl
import subprocess
import sys
from functools import partial
from pathlib import Path

import httpx
import psutil
import pytest

from tests.farm import ROOT, eventually

pytestmark = [pytest.mark.system, pytest.mark.timeout(600)]

SIMULATED = 100


def test_both_nodes_show_the_farm_and_a_killed_one_comes_back(tmp_path: Path) -> None:
    said = tmp_path / "said"
    command = [sys.executable, str(ROOT / "devtools" / "demo_scaled.py")]
    with said.open("w") as out, subprocess.Popen(command, stdout=out, stderr=out) as demo:
        try:
            eventually(lambda: "ends " in said.read_text(), within_s=180, what="the demo's start")
            urls = re.findall(r"https://127\.0\.0\.1:\d+", said.read_text())
            password = re.findall(r"password  (\S+)", said.read_text())[0]
            trust = ssl.create_default_context(cafile=re.findall(r"trust     (\S+)", said.read_text())[0])
            for url in urls:
                eventually(partial(shows_all, url, password, trust), within_s=60, what=f"the farm at {url}")
            psutil.Process(int(re.findall(r"web-1 (\d+)", said.read_text())[0])).kill()
            eventually(partial(shows_all, urls[0], password, trust), within_s=60, what="the killed node's return")
            assert "web-1 has ended and is started again" in said.read_text()
        finally:
            demo.send_signal(signal.SIGINT)
            assert demo.wait(timeout=60) == 0, said.read_text()


def shows_all(url: str, password: str, trust: ssl.SSLContext) -> bool:
    """Returns whether a browser that has logged in gets all rigs as alive."""
    try:
        with httpx.Client(base_url=url, verify=trust, timeout=60) as browser:
            browser.post("/login", data={"password": password})
            stats = browser.get("/api/v1/cpu-gpu-stats").raise_for_status().json()
    except httpx.HTTPError:
        return False
    return bool(stats["rigs_alive"] == SIMULATED)
