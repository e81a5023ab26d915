"""Sentries are updated by a command: real versions side by side, a real launcher, and miners that go on."""

import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from protocol.command_messages import Command, CommandArguments, CommandState
from protocol.playbook_messages import PlaybookState
from sentry_kit.launcher import PROOF_WITHIN, TRIAL

from tests.farm import eventually
from tests.playbook_rig import PlaybookRig
from tests.playbook_software import package_of, playbook_of, sha256, stand_in
from tests.sentry_wheels import CRASHES, SENTRY, SILENT, hashes, own_wheels, version_now
from tests.updatable_rig import installed_sentry, updatable_rig

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]
BODY = stand_in()
NEW, NEWER = "9.1", "9.2"
RUN = "cpu_gpu_sentry/run.py"


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[PlaybookRig]:
    with updatable_rig(tmp_path, **{PROOF_WITHIN: "120"}) as ready:
        yield ready


def offer(rig: PlaybookRig, version: str, changed: dict[str, str] | None = None) -> CommandArguments:
    """Puts a version into the commander's store; returns the arguments of its command."""
    wheels = own_wheels(version, changed or {})
    rig.commander.packages |= wheels
    return CommandArguments(version=version, wheels=hashes(wheels))


def order(rig: PlaybookRig, name: str, arguments: CommandArguments) -> None:
    rig.commander.order(Command(id=name, action="update_sentry", valid_s=600, arguments=arguments))


def ends(rig: PlaybookRig, name: str, state: CommandState) -> str:
    """Waits for the result; returns its sentence. It is reported in one state only, `begun` before it."""
    eventually(
        lambda: rig.commander.state_of(name) not in (None, CommandState.BEGUN),
        within_s=200,
        what=f"a result of {name} ({rig.sentry.log.read_text()[-3000:]})",
    )
    last = rig.commander.states_of(name)[-1]
    assert last.state is state, last
    assert {each.state for each in rig.commander.states_of(name)} <= {CommandState.BEGUN, state}
    return last.text


def runs(rig: PlaybookRig, version: str) -> None:
    """Waits until that version of the sentry is the one that runs."""
    python = str(rig.data_dir / "versions" / version / "bin" / "python")
    eventually(lambda: [each[0] for each in sentries(rig)] == [python], within_s=60, what=f"version {version}")


def sentries(rig: PlaybookRig) -> list[list[str]]:
    """The command lines of this rig's sentries, without the launcher."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = process.info["cmdline"] or []
        if line[2:] == ["-m", "cpu_gpu_sentry", "run"] and line[0].startswith(str(rig.data_dir)):
            found.append(line)
    return found


def mine(rig: PlaybookRig) -> psutil.Process:
    """Returns the miner, which mines."""
    package = package_of(rig.shop.offer("miner.tar.gz", BODY), BODY, version=sha256(BODY)[:8])
    rig.commander.want(playbook_of(package))
    rig.becomes(PlaybookState.MINING, within_s=60)
    return next(each for each in rig.processes() if "fake_miner.py" in " ".join(each.cmdline()))


def has_no_gap(rig: PlaybookRig, miner: psutil.Process) -> None:
    """The miner is the same process, and its uptime has only grown in all logs."""
    assert miner.is_running()
    logs = len(rig.commander.logs)
    eventually(lambda: len(rig.commander.logs) >= logs + 2, within_s=60, what="logs after the update")
    eventually(lambda: rig.reported() is not None, within_s=60, what="the miner in the newest log")
    uptimes = [each.uptime_s for log in rig.commander.logs for each in log.miners if each.playbook_id == "p1"]
    known = [each for each in uptimes if each is not None]
    assert len(known) > 2
    assert known == sorted(known)


def test_an_update_goes_on_to_the_new_version_while_the_miner_mines(rig: PlaybookRig) -> None:
    miner = mine(rig)
    order(rig, "c1", offer(rig, NEW))
    assert ends(rig, "c1", CommandState.DONE) == f"Version {NEW} runs and has reported to the commander."
    runs(rig, NEW)
    assert f"cpu-gpu-sentry {NEW}" in rig.sentry.run("--version").stdout
    has_no_gap(rig, miner)
    order(rig, "c2", offer(rig, NEW))
    assert "runs already" in ends(rig, "c2", CommandState.DONE)
    order(rig, "c3", offer(rig, NEWER))
    ends(rig, "c3", CommandState.DONE)
    runs(rig, NEWER)
    eventually(
        lambda: {each.name for each in (rig.data_dir / "versions").iterdir()} == {NEW, NEWER},
        within_s=60,
        what="the end of the oldest version",
    )
    has_no_gap(rig, miner)


def test_a_version_that_crashes_goes_back_by_itself_while_the_miner_mines(rig: PlaybookRig) -> None:
    miner = mine(rig)
    order(rig, "c1", offer(rig, NEW, {RUN: CRASHES}))
    text = ends(rig, "c1", CommandState.FAILED)
    assert text.startswith(f"The new version {NEW} ended 3 times at its start, with exit code 1")
    assert "RuntimeError: this version is broken" in text
    assert text.endswith(f"Version {version_now()} runs again.")
    runs(rig, version_now())
    has_no_gap(rig, miner)
    order(rig, "c2", offer(rig, NEWER))
    ends(rig, "c2", CommandState.DONE)


def test_a_version_that_never_reports_goes_back_by_itself(tmp_path: Path) -> None:
    with updatable_rig(tmp_path, **{PROOF_WITHIN: "3"}) as rig:
        order(rig, "c1", offer(rig, NEW, {RUN: SILENT}))
        assert "did not report to the commander within 3 s" in ends(rig, "c1", CommandState.FAILED)
        runs(rig, version_now())


def test_only_the_files_that_the_command_names_are_installed(rig: PlaybookRig) -> None:
    arguments = offer(rig, NEW)
    rig.commander.packages[f"{SENTRY}-{NEW}-py3-none-any.whl"] = b"another file"
    order(rig, "c1", arguments)
    assert "is not the file that the command names" in ends(rig, "c1", CommandState.FAILED)
    missing = offer(rig, NEWER)
    for name in [each for each in rig.commander.packages if each.startswith("msgspec-")]:
        del rig.commander.packages[name]
    order(rig, "c2", missing)
    assert "has no msgspec; run commander fetch-packages" in ends(rig, "c2", CommandState.FAILED)
    assert [each.name for each in (rig.data_dir / "versions").iterdir()] == [version_now()]


def test_a_rig_that_forbids_updates_or_was_installed_by_hand_refuses(tmp_path: Path) -> None:
    with updatable_rig(tmp_path, CPU_GPU_SENTRY_ALLOW="diagnose") as rig:
        order(rig, "c1", offer(rig, NEW))
        assert "CPU_GPU_SENTRY_ALLOW" in ends(rig, "c1", CommandState.REFUSED)
        rig.sentry.kill()
        rig.sentry.more = {**rig.sentry.more, "CPU_GPU_SENTRY_ALLOW": "update_sentry"}
        rig.sentry.command = lambda program, *rest: [
            str(rig.data_dir / "current" / "bin" / "python"), "-I", "-m", program, *rest,
        ]  # fmt: skip
        rig.sentry.start()
        order(rig, "c2", offer(rig, NEW))
        assert "was installed by hand" in ends(rig, "c2", CommandState.REFUSED)


def test_a_stop_of_the_service_ends_launcher_and_sentry_and_leaves_the_miner(rig: PlaybookRig) -> None:
    miner = mine(rig)
    assert rig.sentry.process is not None
    rig.sentry.process.send_signal(signal.SIGTERM)
    assert rig.sentry.process.wait(timeout=60) == 0
    assert sentries(rig) == []
    assert miner.is_running()


@pytest.mark.timeout(900)
def test_kills_at_random_moments_of_an_update_leave_one_version_and_one_result(rig: PlaybookRig) -> None:
    miner = mine(rig)
    chance = random.Random(20261129)  # noqa: S311 - the same moments each time
    order(rig, "c1", offer(rig, NEW))
    for _ in range(2):
        time.sleep(chance.uniform(0.3, 3))
        rig.sentry.kill()
        eventually(lambda: not sentries(rig), within_s=60, what="the end of the sentry with its launcher")
        rig.sentry.start()
    eventually(
        lambda: rig.commander.state_of("c1") not in (None, CommandState.BEGUN), within_s=200, what="a result of c1"
    )
    results = {each.state for each in rig.commander.states_of("c1")} - {CommandState.BEGUN}
    assert len(results) == 1
    runs(rig, NEW if results == {CommandState.DONE} else version_now())
    order(rig, "c2", offer(rig, NEWER))
    eventually((rig.data_dir / TRIAL).exists, within_s=60, what="the trial of the newer version")
    rig.sentry.kill()
    rig.sentry.start()
    ends(rig, "c2", CommandState.DONE)
    runs(rig, NEWER)
    has_no_gap(rig, miner)


def test_a_version_is_installed_in_an_environment_of_its_own(tmp_path: Path) -> None:
    sentry = installed_sentry(tmp_path / "sentry")
    done = sentry.run("status", "--json")
    assert done.returncode == 0, done.stderr
    program = tmp_path / "sentry" / "data" / "versions" / version_now() / "bin" / "cpu-gpu-sentry"
    assert program.read_text().startswith(f"#!{program.parent}/python\n")
