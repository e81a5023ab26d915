"""The launcher as a process, with versions that are real environments and a program of a few lines."""

import random
import signal
import subprocess
import sys
import time
import venv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sentry_kit import launcher
from sentry_kit.launcher import (
    INSTALLED,
    PROOF_WITHIN,
    STARTS,
    TRIAL,
    WANTED,
    Outcome,
    Proof,
    Trial,
    Wanted,
    read_outcome,
    read_proof,
    read_trial,
    settle,
    switch,
    version_to_run,
    write,
)

WITHIN_S = 60
PROGRAM = """
import os, pathlib, signal, sys, time
state = pathlib.Path(os.environ["MINEWARDEN_LAUNCHER"])
version = pathlib.Path(sys.prefix).name
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
with (state / "starts").open("a") as file:
    file.write(f"{version} {os.getpid()}\\n")
mode = (state / "versions" / version / "mode").read_text()
if mode == "crashes":
    sys.exit("this version is broken")
if mode == "proves":
    (state / "proof.new").write_text('{"version": "%s"}' % version)
    (state / "proof.new").replace(state / "update-proof.json")
while True:
    time.sleep(60)
"""


def make_version(state: Path, name: str, mode: str) -> None:
    folder = state / "versions" / name
    venv.create(folder, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "program.py").write_text(PROGRAM)
    (folder / "mode").write_text(mode)
    (folder / INSTALLED).touch()


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state directory in which version 1.0 runs."""
    (tmp_path / "launcher.py").write_bytes(Path(launcher.__file__).read_bytes())
    make_version(tmp_path, "1.0", "proves")
    switch(tmp_path, "1.0")
    return tmp_path


def start(state: Path, proof_s: float = 60) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-I", str(state / "launcher.py"), "program"]
    with (state / "log").open("ab") as log:
        return subprocess.Popen(command, env={PROOF_WITHIN: f"{proof_s}"}, stdout=log, stderr=log)


@contextmanager
def running(state: Path, proof_s: float = 60) -> Iterator["subprocess.Popen[bytes]"]:
    process = start(state, proof_s)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def eventually(condition: Callable[[], object], state: Path) -> None:
    until_s = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < until_s, (state / "log").read_text()
        time.sleep(0.02)


def starts(state: Path) -> list[str]:
    """The versions that were started, in order."""
    return [line.split()[0] for line in lines(state)]


def lines(state: Path) -> list[str]:
    path = state / "starts"
    return path.read_text().splitlines() if path.exists() else []


def is_there(pid: int) -> bool:
    path = Path(f"/proc/{pid}/stat")
    return path.exists() and path.read_text().rsplit(")", 1)[1].split()[0] != "Z"


pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(sys.platform != "linux", reason="sentries are started by a launcher on Linux only"),
]


def test_a_signal_is_passed_on_and_the_launcher_ends_as_the_sentry_does(state: Path) -> None:
    with running(state) as process:
        eventually(lambda: starts(state) == ["1.0"], state)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=WITHIN_S) == 0
    assert not is_there(int(lines(state)[0].split()[1]))


def test_a_sentry_that_ends_outside_an_update_ends_the_launcher_with_its_exit_code(state: Path) -> None:
    (state / "versions" / "1.0" / "mode").write_text("crashes")
    with running(state) as process:
        assert process.wait(timeout=WITHIN_S) == 1
    assert "this version is broken" in (state / "log").read_text()
    assert starts(state) == ["1.0"]


def test_a_killed_launcher_takes_its_sentry_with_it_and_a_second_one_is_refused(state: Path) -> None:
    with running(state) as process:
        eventually(lambda: starts(state) == ["1.0"], state)
        with running(state) as second:
            assert second.wait(timeout=WITHIN_S) == 1
        assert "runs already" in (state / "log").read_text()
        pid = int(lines(state)[0].split()[1])
        assert is_there(pid)
        process.kill()
        eventually(lambda: not is_there(pid), state)


def test_a_version_that_reports_stays_and_only_the_one_before_is_kept(state: Path) -> None:
    make_version(state, "0.9", "proves")
    make_version(state, "1.1", "proves")
    (state / "versions" / ".new-1.2").mkdir()
    with running(state):
        eventually(lambda: starts(state) == ["1.0"], state)
        write(state / WANTED, Wanted("c1", "1.1"))
        eventually(lambda: read_outcome(state), state)
        eventually(lambda: not (state / TRIAL).exists(), state)
        eventually(lambda: len(list((state / "versions").iterdir())) == 2, state)
    assert read_outcome(state) == Outcome("c1", True, "Version 1.1 runs and has reported to the commander.")
    assert starts(state) == ["1.0", "1.1"]
    assert {each.name for each in (state / "versions").iterdir()} == {"1.0", "1.1"}
    assert version_to_run(state) == "1.1"


def test_a_version_that_crashes_is_started_three_times_and_the_one_before_runs_again(state: Path) -> None:
    make_version(state, "1.1", "crashes")
    with running(state):
        eventually(lambda: starts(state) == ["1.0"], state)
        write(state / WANTED, Wanted("c1", "1.1"))
        eventually(lambda: starts(state)[-1] == "1.0" and len(starts(state)) > 1, state)
    outcome = read_outcome(state)
    assert outcome is not None
    assert not outcome.is_done
    assert outcome.text == (
        "The new version 1.1 ended 3 times at its start, with exit code 1; its last lines: this version is broken. "
        "Version 1.0 runs again."
    )
    assert starts(state) == ["1.0", *["1.1"] * STARTS, "1.0"]
    assert version_to_run(state) == "1.0"


def test_a_version_that_does_not_report_in_time_makes_room_for_the_one_before(state: Path) -> None:
    make_version(state, "1.1", "silent")
    with running(state, proof_s=1):
        eventually(lambda: starts(state) == ["1.0"], state)
        write(state / WANTED, Wanted("c1", "1.1"))
        eventually(lambda: starts(state) == ["1.0", "1.1", "1.0"], state)
    outcome = read_outcome(state)
    assert outcome is not None
    assert outcome.text == "The new version 1.1 did not report to the commander within 1 s. Version 1.0 runs again."


@pytest.mark.parametrize("mode", ["silent", "crashes"])
def test_on_a_disk_that_can_not_be_written_the_old_version_runs_again(state: Path, mode: str) -> None:
    make_version(state, "1.1", mode)
    blockers = [state / f".{TRIAL}.new", state / ".current.new"]  # folders where files are to be written
    with running(state, proof_s=3):
        eventually(lambda: starts(state) == ["1.0"], state)
        write(state / WANTED, Wanted("c1", "1.1"))
        eventually(lambda: starts(state) == ["1.0", "1.1"], state)
        for each in blockers:
            each.mkdir()
        eventually(lambda: starts(state) == ["1.0", "1.1", "1.0"], state)
    with running(state, proof_s=3):
        eventually(lambda: starts(state) == ["1.0", "1.1", "1.0", "1.0"], state)
    for each in blockers:
        each.rmdir()
    with running(state, proof_s=3):
        eventually(lambda: starts(state)[-1] == "1.0" and read_outcome(state), state)
    outcome = read_outcome(state)
    assert outcome is not None
    assert outcome.text.endswith("Version 1.0 runs again.")
    assert version_to_run(state) == "1.0"


def test_a_proven_version_runs_on_though_its_outcome_can_not_be_written(state: Path) -> None:
    make_version(state, "1.1", "proves")
    blocker, attempt = state / "update-result.json", state / ".update-result.json.new"
    blocker.mkdir()
    with running(state):
        eventually(lambda: starts(state) == ["1.0"], state)
        write(state / WANTED, Wanted("c1", "1.1"))
        eventually(attempt.exists, state)
        first_ns = attempt.stat().st_mtime_ns
        eventually(lambda: attempt.stat().st_mtime_ns > first_ns, state)
        assert read_proof(state) == Proof("1.1")
        pid = int(lines(state)[-1].split()[1])
        blocker.rmdir()
        eventually(lambda: read_outcome(state), state)
        assert is_there(pid)
    assert starts(state) == ["1.0", "1.1"]


def test_a_proof_of_an_earlier_run_of_the_same_version_does_not_count(state: Path) -> None:
    make_version(state, "1.1", "silent")
    (state / "update-proof.json").write_text('{"version": "1.1"}')
    (state / "versions" / "1.0" / "mode").write_text("silent")
    with running(state, proof_s=1):
        write(state / WANTED, Wanted("c1", "1.1"))
        eventually(lambda: read_outcome(state), state)
    outcome = read_outcome(state)
    assert outcome is not None
    assert not outcome.is_done


@pytest.mark.parametrize("name", ["2.0", "../1.0", "1.0", ""])
def test_a_version_that_is_not_there_is_never_tried(state: Path, name: str) -> None:
    write(state / WANTED, Wanted("c1", name))
    assert settle(state) is None
    outcome = read_outcome(state)
    assert outcome is not None
    assert "not installed completely" in outcome.text
    assert not (state / WANTED).exists()
    assert version_to_run(state) == "1.0"


def test_a_trial_that_was_cut_off_too_often_ends_without_the_new_version(state: Path) -> None:
    make_version(state, "1.1", "proves")
    write(state / TRIAL, Trial("c1", "1.0", "1.1", starts=STARTS))
    switch(state, "1.1")
    assert settle(state) is None
    assert version_to_run(state) == "1.0"
    outcome = read_outcome(state)
    assert outcome is not None
    assert "was started 3 times and did not report" in outcome.text


def test_a_lost_link_is_made_again_and_an_incomplete_version_is_passed_over(state: Path) -> None:
    (state / "versions" / "2.0" / "bin").mkdir(parents=True)
    make_version(state, "3.0", "proves")
    (state / "versions" / "3.0" / INSTALLED).unlink()
    (state / "current").unlink()
    assert version_to_run(state) == "1.0"
    (state / "current").unlink()
    (state / "current").symlink_to("versions/2.0")
    assert version_to_run(state) == "1.0"
    assert (state / "current").readlink() == Path("versions/1.0")


@pytest.mark.parametrize(
    ("mode", "version", "kills"), [("proves", "1.1", STARTS - 1), ("crashes", "1.0", 6), ("silent", "1.0", 6)]
)
@pytest.mark.timeout(300)
def test_killed_at_any_moment_one_version_can_run_and_the_update_has_one_outcome(
    state: Path, mode: str, version: str, kills: int
) -> None:
    make_version(state, "1.1", mode)
    chance = random.Random(f"{mode} 20261129")  # noqa: S311 - the same moments each time
    write(state / WANTED, Wanted("c1", "1.1"))
    proof_s = 60 if mode == "proves" else 1  # a start may take longer than a second
    for _ in range(kills):
        with running(state, proof_s):
            time.sleep(chance.uniform(0, 0.7))
        assert version_to_run(state) in ("1.0", "1.1")
    with running(state, proof_s):
        eventually(lambda: read_outcome(state) and not (state / TRIAL).exists(), state)
        eventually(lambda: starts(state)[-1:] == [version], state)
    outcome = read_outcome(state)
    assert outcome is not None
    assert read_trial(state) is None
    assert not (state / WANTED).exists()
    assert outcome.is_done == (mode == "proves")
    assert version_to_run(state) == version
    if not outcome.is_done:
        assert starts(state).count("1.1") <= STARTS
