"""A sentry that runs as root makes an account for its miners, which read none of its secrets.

It has a copy of /etc of its own, so that nothing of this machine changes. Needs root and Linux.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from protocol.playbook_messages import PlaybookState

from tests.farm import eventually
from tests.playbook_commander import StandInCommander, stand_in_commander
from tests.playbook_software import Vendor, package_of, playbook_of, sha256, stand_in, vendor
from tests.sentry import SentryProcess, python_module, running

BODY = stand_in()
OWN_ETC = "mount --bind {etc} /etc && exec {command}"


def can_have_an_own_etc() -> bool:
    if sys.platform != "linux" or os.geteuid() != 0 or shutil.which("useradd") is None:
        return False
    probe = ["unshare", "--mount", "sh", "-c", "mount --bind /tmp /tmp"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(240),
    pytest.mark.skipif(not can_have_an_own_etc(), reason="needs root, useradd and a mount namespace"),
]


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that other users can enter: pytest's own are closed."""
    folder = Path(tempfile.mkdtemp(prefix="minewarden-test-"))
    folder.chmod(0o755)
    shutil.copytree("/etc", folder / "etc", symlinks=True)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Vendor]:
    with vendor(tmp_path / "vendor") as selling:
        yield selling


@pytest.fixture
def commander(tmp_path: Path) -> Iterator[StandInCommander]:
    with stand_in_commander(tmp_path / "commander") as serving:
        yield serving


@pytest.fixture
def sentry(place: Path, shop: Vendor, commander: StandInCommander) -> Iterator[SentryProcess]:
    trusted = place / "trusted.pem"
    trusted.write_bytes(shop.ca.read_bytes() + commander.ca.read_bytes())

    def with_own_etc(module: str, *arguments: str) -> list[str]:
        command = " ".join(python_module(module, *arguments))
        return ["unshare", "--mount", "sh", "-c", OWN_ETC.format(etc=place / "etc", command=command)]

    with running(SentryProcess(place / "sentry", command=with_own_etc, more={"SSL_CERT_FILE": str(trusted)})) as ready:
        ready.enroll(commander.url, str(commander.token))
        yield ready


@pytest.mark.parametrize("root", [False, True])
def test_a_miner_runs_without_rights_unless_its_playbook_wants_root(
    sentry: SentryProcess, commander: StandInCommander, shop: Vendor, place: Path, root: bool
) -> None:
    package = package_of(shop.offer("miner.tar.gz", BODY), BODY, software="other", sha256=sha256(BODY))
    script = f"id -un; cat {sentry.store} >/dev/null && echo read; touch here && echo wrote; exec sleep 600\n"
    commander.want(playbook_of(package, script=script, has_api=False, root=root))
    eventually(
        lambda: (now := commander.status_of("p1")) is not None and now.state is PlaybookState.MINING,
        within_s=60,
        what="a playbook that mines",
    )
    status = commander.status_of("p1")
    assert status is not None
    assert status.runs_as == ("root, because the playbook says so" if root else "minewarden-miner")
    eventually(lambda: "wrote" in printed(place), within_s=60, what="what it prints")
    assert printed(place)[0] == ("root" if root else "minewarden-miner")
    assert ("read" in printed(place)) is root
    assert ("minewarden-miner:" in (place / "etc" / "passwd").read_text()) is not root


def printed(place: Path) -> list[str]:
    files = sorted((place / "sentry" / "data" / "playbooks" / "p1" / "output").glob("*.log"))
    return [line for file in files for line in file.read_text().splitlines()]
