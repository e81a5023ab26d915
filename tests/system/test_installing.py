"""Each program installed as the docs say: alone in an empty environment, without the lock.

The tests' environment has all packages, which hides what one of them does not declare.
"""

import re
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.farm import ROOT, CommanderProcess
from tests.sentry import ASIC_SENTRY, CPU_GPU_SENTRY, SentryProcess
from tests.typed import checkout, installing, type_in

README, DEPLOY = ROOT / "README.md", ROOT / "deploy" / "README.md"
PAGES_LIMIT_S = 900  # an empty pip and npm cache, and a busy machine
IMPORT_ALL = """
import importlib, pkgutil, sys
top = importlib.import_module(sys.argv[1])
names = [module.name for module in pkgutil.walk_packages(top.__path__, f"{top.__name__}.")]
for name in names:
    if not name.endswith(("__main__", "_windows")) and ".migrations." not in name:
        importlib.import_module(name)
print(len(names))
"""

pytestmark = [pytest.mark.system, pytest.mark.timeout(PAGES_LIMIT_S)]


def installed(page: Path, package: str, tmp_path: Path) -> Path:
    """Returns the folder of the environment's programs."""
    type_in(checkout(tmp_path / "minewarden"), installing(page, package), home=tmp_path)
    (pip,) = [*tmp_path.glob("*/bin/pip"), *tmp_path.glob("opt/*/bin/pip")]
    return pip.parent


def imports_all(bin_dir: Path, package: str) -> int:
    """Imports every module of the package and returns their number."""
    command = [str(bin_dir / "python"), "-I", "-c", IMPORT_ALL, package]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_a_commander_as_the_page_about_services_installs_it_serves(tmp_path: Path) -> None:
    bin_dir = installed(DEPLOY, "commander", tmp_path)
    commander = CommanderProcess(tmp_path / "data", python=str(bin_dir / "python"))
    commander.start()
    try:
        with commander.client() as browser:
            assert browser.get("/healthz").status_code == 200
            page = browser.get("/login").text
            assert 'type="password"' in page
            scripts = re.findall(r'<script[^>]* src="([^"]+)"', page)
            assert scripts
            assert {browser.get(script).status_code for script in scripts} == {200}
    finally:
        assert commander.stop() == 0
    assert "Traceback" not in commander.log.read_text()
    assert "COMMANDER_NATS_URL" in commander.run("ingest").stderr
    assert imports_all(bin_dir, "commander") > 100


@pytest.mark.parametrize("page", [README, DEPLOY], ids=["readme", "deploy"])
@pytest.mark.parametrize("program", [CPU_GPU_SENTRY, ASIC_SENTRY])
def test_a_sentry_as_the_pages_install_it_shows_its_page_and_its_status(
    program: str, page: Path, tmp_path: Path
) -> None:
    bin_dir = installed(page, program, tmp_path)
    python = str(bin_dir / "python")
    sentry = SentryProcess(tmp_path / "sentry", program, command=lambda *words: [python, "-m", *words])
    sentry.start()
    try:
        local = httpx.get(f"http://127.0.0.1:{sentry.ui_port}/", timeout=60)
        assert (local.status_code, "Status" in local.text) == (200, True)
        assert sentry.run("status" if program == CPU_GPU_SENTRY else "list").returncode == 0
    finally:
        sentry.kill()
    assert "Traceback" not in sentry.log.read_text()
    assert imports_all(bin_dir, program) > 20
