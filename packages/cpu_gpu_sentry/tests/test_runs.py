"""Runs under a real keeper: found again, never twice, ended with everything that they started. POSIX."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from cpu_gpu_sentry.playbooks import runs, system
from cpu_gpu_sentry.playbooks.errors import Trouble
from cpu_gpu_sentry.playbooks.folders import Folders
from cpu_gpu_sentry.playbooks.output import last_lines
from cpu_gpu_sentry.playbooks.packages import package_key
from cpu_gpu_sentry.playbooks.processes import end, environment_for, mark_of, marked
from cpu_gpu_sentry.playbooks.runs import RunNote, StartRequest
from protocol.playbook_messages import Archive, Platform, Playbook, SoftwarePackage
from waiting import eventually

pytestmark = pytest.mark.system
PACKAGE = SoftwarePackage(
    software="x", version="1", url="https://a/b", archive=Archive.TAR_GZ, executable="x", sha256="0" * 64
)


@pytest.fixture
def folders(tmp_path: Path) -> Iterator[Folders]:
    made = Folders(tmp_path)
    (made.software / package_key(PACKAGE)).mkdir(parents=True)
    yield made
    assert end([f"{mark_of(tmp_path)}:"], {}, term_s=0) == 0


def started(folders: Folders, script: str, name: str = "p1") -> RunNote:
    playbook = Playbook(id=name, name="n", revision=1, package=PACKAGE, platform=Platform.LINUX, script=script)
    return runs.start(folders, StartRequest(playbook, 4000, 0), runs.write_script(folders, playbook, 4000))


def living(folders: Folders) -> list[psutil.Process]:
    return marked([f"{mark_of(folders.data_dir)}:"])


def printed(folders: Folders, note: RunNote) -> list[str]:
    return last_lines(folders.of(note.playbook_id) / "output", note.run, 20)


def test_a_keeper_that_does_not_begin_in_time_is_a_trouble_that_is_tried_again(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cpu_gpu_sentry.playbooks.system_posix.START_S", 1e-9)
    with pytest.raises(Trouble, match=r"could not be started \(code -9: it did not begin within"):
        started(folders, "exec sleep 600")
    assert list(folders.of("p1").glob("start-*.json")) == []


def test_it_runs_in_the_software_s_folder_with_a_terminal_and_its_end_is_known(folders: Folders) -> None:
    note = started(folders, "pwd; [ -t 1 ] && echo terminal; echo $0 >&2; exit 5")
    eventually(lambda: not runs.is_running(folders, note))
    ended = runs.read_end(folders, note)
    assert ended is not None
    assert ended.code == 5
    eventually(lambda: not living(folders))
    where, terminal, script = printed(folders, note)
    assert where == str(folders.software / package_key(PACKAGE))
    assert terminal == "terminal"
    assert script.endswith(".sh")


def test_a_script_that_fails_at_once_is_told(folders: Folders) -> None:
    note = started(folders, "exec ./not-there")
    eventually(lambda: runs.read_end(folders, note) is not None)
    ended = runs.read_end(folders, note)
    assert ended is not None
    assert ended.code == 127
    assert "not-there" in printed(folders, note)[0]


def test_it_is_found_again_and_a_second_one_can_t_start_beside_it(folders: Folders) -> None:
    note = started(folders, "exec sleep 600")
    assert runs.find_running(folders) == {"p1": note}
    folder = folders.of("p1")
    other = folder / "start-other.json"
    other.write_bytes((folder / "run.json").read_bytes())
    mark = mark_of(folders.data_dir, "p1", "other")
    assert system.start_keeper(folder, other, environment_for(mark, folder)) == 3
    assert runs.find_running(folders) == {"p1": note}
    assert len(living(folders)) == 2


def test_stopping_ends_the_whole_tree_and_what_left_it(folders: Folders) -> None:
    detached = f"{sys.executable} -c 'import os,time; os.fork() and os._exit(0); os.setsid(); time.sleep(600)'"
    cleared = f"env -i {sys.executable} -c 'import os,time; os.fork() and os._exit(0); os.setsid(); time.sleep(601)'"
    note = started(folders, f"sleep 602 & {detached}; {cleared}; exec sleep 603")
    eventually(lambda: len(psutil.Process(note.keeper_pid).children(recursive=True)) == 4)
    tree = psutil.Process(note.keeper_pid).children(recursive=True)
    runs.end_runs(folders, ["p1"])
    assert not any(each.is_running() and each.status() != psutil.STATUS_ZOMBIE for each in tree)
    assert runs.find_running(folders) == {}


def test_what_ignores_sigterm_is_killed(folders: Folders) -> None:
    note = started(folders, "trap '' TERM; echo ready; while :; do sleep 1; done")
    eventually(lambda: printed(folders, note) == ["ready"])
    marks = [f"{mark_of(folders.data_dir, 'p1')}:"]
    assert end(marks, {note.keeper_pid: mark_of(folders.data_dir, "p1", note.run)}, term_s=0.3) == 0
    ended = runs.read_end(folders, note)
    assert ended is not None
    assert ended.code == -signal.SIGKILL


def test_what_lost_its_keeper_is_a_stray_and_ended(folders: Folders) -> None:
    note, kept = started(folders, "exec sleep 600"), started(folders, "exec sleep 600", "p2")
    os.kill(note.keeper_pid, signal.SIGKILL)
    eventually(lambda: not runs.is_running(folders, note))
    assert runs.find_running(folders) == {"p2": kept}
    runs.end_strays(folders, [kept])
    assert len(living(folders)) == 2
    assert runs.find_running(folders) == {"p2": kept}


def test_a_miner_in_the_background_runs_on_when_its_script_ends_well(folders: Folders) -> None:
    note = started(folders, "sleep 600 & echo started; exit 0")
    eventually(lambda: runs.read_end(folders, note) is not None)
    assert runs.is_running(folders, note)
    runs.end_runs(folders, ["p1"])
    assert not runs.is_running(folders, note)


def test_two_sentries_of_one_machine_do_not_end_each_other_s(folders: Folders, tmp_path: Path) -> None:
    note = started(folders, "exec sleep 600")
    other = Folders(tmp_path / "another")
    runs.end_all(other)
    assert runs.is_running(folders, note)


def test_old_notes_with_a_process_id_of_somebody_else_end_nobody(folders: Folders) -> None:
    note = started(folders, "exec sleep 600")
    runs.end_runs(folders, ["p1"])
    with subprocess.Popen(["sleep", "600"]) as stranger:
        path = folders.of("p1") / "run.json"
        path.write_bytes(path.read_bytes().replace(str(note.keeper_pid).encode(), str(stranger.pid).encode()))
        runs.end_runs(folders, ["p1"])
        assert stranger.poll() is None
        stranger.kill()


def test_the_lock_of_changes_is_waited_for(tmp_path: Path) -> None:
    has_it, path = threading.Event(), tmp_path / "mining.lock"

    def take() -> None:
        with system.held(path):
            has_it.set()

    with system.held(path):
        other = threading.Thread(target=take)
        other.start()
        assert not has_it.wait(0.2)
    assert has_it.wait(60)
    other.join(60)
