"""Rebooting and shutting down: by the operator's command, by systemd, by SysRq, or refused with the reason."""

import sys
from pathlib import Path

import pytest
from cpu_gpu_sentry.machine.power import Place, Power, PowerAct, PowerFailed, PowerRefused, has_own_pids, why_refused

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the programs are shell scripts")
ROOT = Place(is_linux=True, is_root=True, is_container=False)
USER = Place(is_linux=True, is_root=False, is_container=False)
CONTAINER = Place(is_linux=True, is_root=True, is_container=True)
WINDOWS = Place(is_linux=False, is_root=False, is_container=False)


@pytest.mark.parametrize(
    ("act", "place", "has_command", "words"),
    [
        (PowerAct.REBOOT, ROOT, False, None),
        (PowerAct.SHUTDOWN, ROOT, False, None),
        (PowerAct.REBOOT, USER, False, "does not run as root"),
        (PowerAct.REBOOT, CONTAINER, False, "runs in a container"),
        (PowerAct.REBOOT, WINDOWS, False, "Linux rigs only"),
        (PowerAct.REBOOT, USER, True, None),
        (PowerAct.REBOOT, CONTAINER, True, None),
        (PowerAct.REBOOT, WINDOWS, True, None),
        (PowerAct.SHUTDOWN, USER, True, "does not run as root"),
        (PowerAct.SHUTDOWN, CONTAINER, True, "runs in a container"),
        (PowerAct.SHUTDOWN, WINDOWS, True, "Linux rigs only"),
    ],
)
def test_it_is_refused_with_the_reason_where_it_can_not_be_done(
    act: PowerAct, place: Place, has_command: bool, words: str | None
) -> None:
    refusal = why_refused(act, place, has_command=has_command)
    assert refusal is None if words is None else words in (refusal or "")
    assert refusal is None or ("CPU_GPU_SENTRY_REBOOT_COMMAND" in refusal) is (
        act is PowerAct.REBOOT and place != WINDOWS
    )


def test_a_container_without_a_mark_is_known_by_process_ids_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "host").symlink_to("pid:[4026531836]")
    (tmp_path / "container").symlink_to("pid:[4026532205]")
    assert not has_own_pids(tmp_path / "host")
    assert has_own_pids(tmp_path / "container")
    assert not has_own_pids(tmp_path / "missing")


def program(folder: Path, name: str, script: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


async def test_the_operators_command_is_run_with_its_arguments_and_without_a_shell(tmp_path: Path) -> None:
    path = program(tmp_path, "my reboot", f'printf "%s|" "$@" > {tmp_path}/asked')
    await Power(f"'{path}' --rig 'rig 7' '$HOME;'", USER).carry_out(PowerAct.REBOOT)
    assert (tmp_path / "asked").read_text() == "--rig|rig 7|$HOME;|"


@pytest.mark.parametrize(
    ("script", "words"), [("echo no relay >&2; exit 3", "exit code 3: no relay"), ("exit 1", "exit code 1.")]
)
async def test_a_command_that_fails_says_why(tmp_path: Path, script: str, words: str) -> None:
    path = program(tmp_path, "reboot-rig", script)
    with pytest.raises(PowerFailed, match=words):
        await Power(str(path), USER).carry_out(PowerAct.REBOOT)


@pytest.mark.parametrize("command", ["/missing/program", "'", " "])
async def test_a_command_that_is_none_has_failed(command: str) -> None:
    with pytest.raises(PowerFailed):
        await Power(command, USER).carry_out(PowerAct.REBOOT)


async def test_what_is_refused_is_never_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, "systemctl", f"touch {tmp_path}/asked")
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    for act in PowerAct:
        with pytest.raises(PowerRefused):
            await Power(None, USER).carry_out(act)
    assert not (tmp_path / "asked").exists()


@pytest.mark.parametrize(
    ("act", "verb", "keys"), [(PowerAct.REBOOT, "reboot", "sub"), (PowerAct.SHUTDOWN, "poweroff", "suo")]
)
async def test_a_machine_that_still_runs_after_systemd_is_asked_by_sysrq(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, act: PowerAct, verb: str, keys: str
) -> None:
    program(tmp_path, "systemctl", f'echo "$@" >> {tmp_path}/asked')
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr("cpu_gpu_sentry.machine.power._BETWEEN_S", 0.0)
    sysrq = tmp_path / "sysrq-trigger"
    sysrq.touch()
    with pytest.raises(PowerFailed, match="still runs"):
        await Power(None, ROOT, sysrq, hangs_after_s=0.01).carry_out(act)
    assert (tmp_path / "asked").read_text() == f"{verb}\n"
    assert sysrq.read_text() == keys


async def test_without_systemd_sysrq_is_asked_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("cpu_gpu_sentry.machine.power._BETWEEN_S", 0.0)
    sysrq = tmp_path / "sysrq-trigger"
    sysrq.touch()
    with pytest.raises(PowerFailed, match="still runs"):
        await Power(None, ROOT, sysrq, hangs_after_s=600).carry_out(PowerAct.REBOOT)
    assert sysrq.read_text() == "sub"


async def test_a_sysrq_that_can_not_be_written_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PowerFailed, match="by SysRq"):
        await Power(None, ROOT, tmp_path / "no" / "trigger").carry_out(PowerAct.REBOOT)
