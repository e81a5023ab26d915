"""A rig's disk becomes read-only, as Linux does after errors: the sentry starts, measures and reports."""

import os
import signal
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from protocol.messages import CpuGpuLog
from protocol.playbook_messages import PlaybookState

from tests.farm import eventually
from tests.playbook_rig import PlaybookRig, playbook_rig
from tests.playbook_software import package_of, playbook_of, stand_in

pytestmark = pytest.mark.system


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[PlaybookRig]:
    """A rig whose data directory is a file system of its own."""
    data = tmp_path / "sentry" / "data"
    data.mkdir(parents=True)
    if os.geteuid() != 0:
        pytest.skip("only root can mount the disk that this test makes read-only")
    mounted = mount("-t", "tmpfs", "-o", "size=64m,mode=0700", "tmpfs", str(data))
    if mounted.returncode:
        pytest.skip(f"this machine does not let a test mount a disk: {mounted.stderr.strip()}")
    try:
        with playbook_rig(tmp_path) as ready:
            yield ready
            mount("-o", "remount,rw", str(data))
    finally:
        while os.path.ismount(data):
            subprocess.run(["umount", "--lazy", str(data)], check=True)


def mount(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["mount", *arguments], capture_output=True, text=True, check=False)


def make_read_only(rig: PlaybookRig) -> None:
    """Remounts by force: the miner and its keeper have files open for writing, as on a real rig."""
    done = mount("-o", "remount,ro", str(rig.data_dir))
    if done.returncode:
        done = subprocess.run(
            ["mount", "--bind", str(rig.data_dir), str(rig.data_dir)],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        done = mount("-o", "remount,bind,ro", str(rig.data_dir))
    assert done.returncode == 0, done.stderr


def logs_since(rig: PlaybookRig, moment: datetime) -> list[CpuGpuLog]:
    return [log for log in rig.commander.logs if log.taken_at > moment]


@pytest.mark.parametrize("is_killed", [True, False])
def test_a_sentry_on_a_read_only_disk_reports_from_memory(rig: PlaybookRig, is_killed: bool) -> None:
    eventually(lambda: bool(rig.commander.logs), within_s=60, what="a log")
    if is_killed:
        rig.sentry.kill()
    else:
        assert rig.sentry.process is not None
        rig.sentry.process.send_signal(signal.SIGTERM)
        rig.sentry.process.wait(timeout=60)
    make_read_only(rig)
    before, moment = rig.sentry.log.stat().st_size, datetime.now(UTC)
    rig.sentry.start()
    eventually(lambda: len(logs_since(rig, moment)) >= 2, within_s=60, what="logs")
    assert logs_since(rig, moment)[-1].cpu is not None
    said = rig.sentry.log.read_text()[before:]
    assert said.count("disk_read_only") == 1
    assert "Traceback" not in said
    for command in ("status", "page"):
        done = rig.sentry.run(command)
        assert (done.returncode, "can only be read" in done.stderr) == (1, True), done.stderr


def test_a_miner_that_goes_on_is_reported_from_a_read_only_disk(rig: PlaybookRig) -> None:
    body = stand_in()
    rig.commander.want(playbook_of(package_of(rig.shop.offer("miner.tar.gz", body), body), ""))
    rig.becomes(PlaybookState.MINING)
    rig.sentry.kill()
    make_read_only(rig)
    before, moment = rig.sentry.log.stat().st_size, datetime.now(UTC)
    rig.sentry.start()

    def hashrates() -> list[float | None]:
        told = logs_since(rig, moment)[-1:]
        return [each.hashrate_hs for log in told for miner in log.miners for each in miner.algorithms]

    eventually(lambda: any(hashrates()), within_s=60, what="the miner's hashrate")
    assert len(rig.miners()) == 1
    assert "Traceback" not in rig.sentry.log.read_text()[before:]
