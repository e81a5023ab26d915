"""Services of systemd and of Windows, as text and as files."""

import os
import sys
from dataclasses import replace
from pathlib import Path, PurePath
from xml.etree import ElementTree

import pytest
from protocol.service_setup import Place, ServiceProblem, install_service, make_account, uninstall_service
from protocol.services import Service, task_xml, unit_text

SERVICE = Service(
    name="minewarden-test-sentry",
    title="A test",
    program="test-sentry",
    argument="run",
    setting="TEST_SENTRY_DATA_DIR",
    account=None,
    lines=("Nice=5",),
)
TASK = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"


def test_a_unit_starts_the_program_with_its_data_directory() -> None:
    text = unit_text(SERVICE, "/opt/minewarden/bin/test-sentry run")
    assert "\nExecStart=/opt/minewarden/bin/test-sentry run\n" in text
    assert "\nStateDirectory=minewarden-test-sentry\n" in text
    assert "\nEnvironment=TEST_SENTRY_DATA_DIR=/var/lib/minewarden-test-sentry\n" in text
    assert "\nEnvironmentFile=-/etc/minewarden/test-sentry.env\n" in text
    elsewhere = unit_text(SERVICE, "x", PurePath("/srv/data"))
    assert "\nReadWritePaths=/srv/data\n" in elsewhere
    assert "StateDirectory" not in elsewhere


def test_a_task_of_windows_starts_the_program_at_boot_as_system() -> None:
    command = r'"C:\Program Files\a & b\test-sentry.exe" run'
    task = ElementTree.fromstring(task_xml(SERVICE, command, PurePath(r"C:\ProgramData\x")).partition("\n")[2])  # noqa: S314
    assert task.findtext(f".//{TASK}UserId") == "S-1-5-18"
    assert task.find(f".//{TASK}BootTrigger") is not None
    words = task.findtext(f".//{TASK}Arguments")
    assert words == rf'/d /c "set "TEST_SENTRY_DATA_DIR=C:\ProgramData\x" && {command}"'


def test_the_account_of_programs_that_it_starts_may_enter_its_data() -> None:
    assert "\nStateDirectoryMode=0700\n" in unit_text(SERVICE, "x")
    assert "\nStateDirectoryMode=0711\n" in unit_text(replace(SERVICE, children="miners"), "x")


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root installs services")
@pytest.mark.parametrize("code", [0, 1])
def test_an_account_for_programs_that_it_starts_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    calls, said, place = tmp_path / "calls", list[str](), Place(tmp_path / "units", runs=False)
    place.units.mkdir()
    (tmp_path / "useradd").write_text(f'#!/bin/sh\necho "$@" >>{calls}\necho "no room" >&2\nexit {code}\n')
    (tmp_path / "useradd").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    service = replace(SERVICE, children="minewarden-no-such-account")
    install_service(service, said.append, start=False, place=place)
    assert calls.read_text() == (
        "--system --user-group --home-dir /nonexistent --no-create-home --shell /usr/sbin/nologin "
        "minewarden-no-such-account\n"
    )
    assert any("will run as root: `useradd" in line for line in said) is bool(code)
    assert place.unit(service).exists()


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
def test_an_account_that_can_not_be_looked_up_in_time_is_a_problem_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("protocol.service_setup._LIMIT_S", 1e-9)
    with pytest.raises(ServiceProblem, match="The user root can't be looked up: `id` does not answer"):
        make_account("root", tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
def test_an_account_that_is_there_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # without useradd
    assert make_account("root", tmp_path) is False


@pytest.mark.parametrize("code", [0, 1])
def test_a_task_of_windows_is_ended_before_it_is_deleted_or_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """The end of a task that does not run fails."""
    calls, name = tmp_path / "calls", SERVICE.name
    (tmp_path / "schtasks").write_text(f'#!/bin/sh\necho "$1" "$3" >>{calls}\n[ "$1" != /End ] || exit {code}\n')
    (tmp_path / "schtasks").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(sys, "platform", "win32")
    install_service(SERVICE, print, start=True)
    uninstall_service(SERVICE, print)
    words = ["/Create", "/End", "/Run", "/End", "/Delete"]
    assert calls.read_text().splitlines() == [f"{word} {name}" for word in words]


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
def test_without_root_or_systemd_nothing_is_written_and_a_sentence_says_why(tmp_path: Path) -> None:
    place = Place(tmp_path / "no-such-folder", runs=False)
    with pytest.raises(ServiceProblem, match="systemd" if os.geteuid() == 0 else "root"):
        install_service(SERVICE, print, start=True, place=place)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root installs services")
def test_where_systemd_does_not_run_the_unit_is_enabled_by_a_link(tmp_path: Path) -> None:
    said: list[str] = []
    place = Place(tmp_path, runs=False)
    for _ in range(2):
        install_service(SERVICE, said.append, start=True, place=place)
    assert f"ExecStart={Path(sys.prefix, 'bin', 'test-sentry')} run\n" in place.unit(SERVICE).read_text()
    assert place.link(SERVICE).resolve() == place.unit(SERVICE)
    assert place.unit(SERVICE).stat().st_mode & 0o777 == 0o644
    assert "was not started" in said[-1]
    uninstall_service(SERVICE, said.append, place=place)
    assert list(tmp_path.iterdir()) == []
    uninstall_service(SERVICE, said.append, place=place)
    assert "There is no service" in said[-1]
