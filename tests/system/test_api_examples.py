"""Every example in docs/api.md works, in the order of the page, with the real curl."""

import json
import re
import select
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.farm import ROOT, CommanderProcess, running_commander

pytestmark = pytest.mark.system


def test_each_example_of_the_page_about_the_api_works(tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed: apt-get install curl")
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    function, *examples = re.findall(r"```sh\n(.+?)```", page, re.DOTALL)
    assert len(examples) >= 10
    with running_commander(tmp_path) as commander:
        shutil.copy(commander.ca, tmp_path / "ca.pem")
        settings = f"URL={commander.url}\n"
        keep = re.search(r"^ {4}(\(umask .+)$", page, re.MULTILINE)
        assert keep
        subprocess.run(["bash", "-c", keep[1]], cwd=tmp_path, env={"KEY": commander.api_key()}, timeout=20, check=True)
        assert (tmp_path / "api-key").stat().st_mode & 0o777 == 0o600
        examples.sort(key=lambda example: '"name": "rig-07"' not in example)  # the rig that the others name
        for example in examples:
            done = subprocess.run(
                ["bash", "-c", settings + function + example],
                cwd=tmp_path,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            assert done.returncode == 0, f"{example}\n{done.stdout}{done.stderr}"
            json.loads(done.stdout)
        check_live_events(page, commander, tmp_path)


def check_live_events(page: str, commander: CommanderProcess, folder: Path) -> None:
    """Sees the name of a rig that is added while the page's program for live events runs."""
    example = re.search(r"```python\n(import ssl.+?)```", page, re.DOTALL)
    assert example
    program = example[1].replace("commander.lan:8443", f"127.0.0.1:{commander.port}")
    with (
        commander.client(commander.api_key("live")) as people,
        subprocess.Popen([sys.executable, "-c", program], cwd=folder, stdout=subprocess.PIPE, text=True) as listener,
    ):
        assert listener.stdout is not None
        try:
            for number in range(1_000):  # until it listens
                people.post("/api/v1/cpu-gpu-rigs", json={"name": f"live-{number}"}).raise_for_status()
                ready, _, _ = select.select([listener.stdout], [], [], 0.1)
                if ready:
                    break
            message = json.loads(listener.stdout.readline())
        finally:
            listener.kill()
    assert (message["channel"], message["event"]) == ("cpu-gpu-mining-rig-index", "created")
    assert message["data"]["name"].startswith("live-")
