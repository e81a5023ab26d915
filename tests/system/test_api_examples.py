"""Every example in docs/api.md works, in the order of the page, with the real curl."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.farm import ROOT, running_commander

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
