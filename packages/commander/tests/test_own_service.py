"""The commander as a service of its machine: user, unit, data folder, first password."""

import asyncio
import os
import shlex
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from commander import VERSION, own_service
from commander.accounts.actions import AccountActions
from commander.db import open_database
from commander.own_service import install, settings_of_service
from commander.service_unit import SERVICE
from commander.settings import Settings
from protocol.service_setup import Place, ServiceProblem
from protocol.services import Service

# The tests' environment may be closed to other users, so the service under test runs as the tests' own user.
OURS = replace(SERVICE, account=None)
ONLY_ROOT = pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root installs services")


@pytest.mark.commander
@ONLY_ROOT
async def test_the_first_installation_prints_an_address_and_a_password_that_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMMANDER_DATA_DIR", str(tmp_path / "data"))
    settings_file = tmp_path / "commander.env"
    settings_file.write_text("COMMANDER_PORT=9443\n")
    monkeypatch.setattr(Service, "settings_file", settings_file)
    (tmp_path / "units").mkdir()
    settings = settings_of_service(OURS)
    place = Place(tmp_path / "units", runs=False)
    said: list[str] = []
    install(OURS, settings, said.append, start=True, place=place)
    assert f"ReadWritePaths={tmp_path / 'data'}\n" in place.unit(OURS).read_text()
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    lines = dict(line.partition(": ")[::2] for line in said)
    assert lines["Address"].endswith(":9443")
    password = lines["Password (shown this once)"]
    async with open_database(settings.database_url) as database:
        assert await AccountActions(database).is_password(password)
    assert any("9443" in line and "firewall" in line for line in said)
    change = shlex.split(lines["To change the password"].removeprefix("sudo "))
    monkeypatch.delenv("COMMANDER_DATA_DIR")
    await asyncio.to_thread(subprocess.run, change, input=b"another good password\n", check=True)
    async with open_database(settings.database_url) as database:
        assert await AccountActions(database).is_password("another good password")
    monkeypatch.setenv("COMMANDER_DATA_DIR", str(tmp_path / "data"))
    fetch = lines["Before the first rig, fetch what rigs install"]
    assert fetch == lines["To change the password"].replace("set-password", "fetch-packages")
    said.clear()
    install(OURS, settings, said.append, start=True, packages_follow=True, place=place)
    assert not any("fetch-packages" in line for line in said)
    said.clear()
    (tmp_path / "data/packages").mkdir()
    (tmp_path / "data/packages/minewarden_cpu_gpu_sentry-0.0.1-py3-none-any.whl").touch()  # of another version
    install(OURS, settings, said.append, start=True, place=place)
    assert not any("assword" in line for line in said)
    assert any("fetch-packages" in line for line in said)
    (tmp_path / f"data/packages/minewarden_cpu_gpu_sentry-{VERSION}-py3-none-any.whl").touch()
    said.clear()
    install(OURS, settings, said.append, start=True, place=place)
    assert not any("fetch-packages" in line for line in said)


@ONLY_ROOT
def test_a_password_that_takes_too_long_to_set_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMMANDER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(own_service, "_LIMIT_S", 0.01)
    (tmp_path / "units").mkdir()
    with pytest.raises(ServiceProblem, match="did not end within"):
        install(OURS, settings_of_service(OURS), print, start=False, place=Place(tmp_path / "units", runs=False))


def test_what_an_administrator_types_is_for_the_service_s_user_and_data() -> None:
    line = own_service._line(SERVICE, SERVICE.account, Settings(data_dir=Path("/srv/a b")), "set-password")
    assert line.startswith("sudo runuser -u minewarden-commander -- env 'COMMANDER_DATA_DIR=/srv/a b' ")
    assert line.endswith("/bin/commander set-password")


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("it's mine'", "it's mine'"),
        ("'it is \"mine\"'", 'it is "mine"'),
        ('"it\'s mine"', "it's mine"),
        ("'\"mine\"'", '"mine"'),
        (r'"a \"b\" \$c \n"', r'a "b" $c \n'),
        (r"'a\b'", r"a\b"),
        (r"a\ \"b", 'a "b'),
        ("\"a\" 'b'c", "abc"),
        ("a\\\\", "a\\"),
        ("", ""),
    ],
)
def test_quotes_in_the_service_s_file_are_read_as_systemd_reads_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str, value: str
) -> None:
    file = tmp_path / "commander.env"
    file.write_text(f"COMMANDER_PASSWORD={written}\n")
    monkeypatch.setattr(Service, "settings_file", file)
    assert (settings_of_service(SERVICE).password or "") == value


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ('"', "a quote that its line does not close"),
        ("'it is mine", "a quote that its line does not close"),
        (r'"mine\"', "a quote that its line does not close"),
        ("'a' \"b", "a quote that its line does not close"),
        ("mine\\", "ends with a backslash"),
        ("'a'\\", "ends with a backslash"),
        ("a\\\\\\", "ends with a backslash"),
    ],
)
def test_a_value_that_systemd_would_continue_on_the_next_line_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str, problem: str
) -> None:
    file = tmp_path / "commander.env"
    file.write_text(f"COMMANDER_PASSWORD={written}\nCOMMANDER_PORT=443\n")
    monkeypatch.setattr(Service, "settings_file", file)
    with pytest.raises(ServiceProblem) as refused:
        settings_of_service(SERVICE)
    assert str(refused.value).startswith(f"{file}: the value of COMMANDER_PASSWORD ")
    assert problem in str(refused.value)
    assert "mine" not in str(refused.value)


def test_the_service_s_settings_are_those_of_its_file_and_its_own_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "commander.env"
    monkeypatch.setattr(Service, "settings_file", file)
    monkeypatch.delenv("COMMANDER_DATA_DIR", raising=False)
    assert settings_of_service(SERVICE).data_dir == Path("/var/lib/minewarden-commander")
    file.write_text("# a comment\nCOMMANDER_PORT=443\n\nCOMMANDER_PUBLIC_URL='https://farm.example'\n")
    monkeypatch.setenv("COMMANDER_PORT", "8444")  # of the shell: the service does not have it
    monkeypatch.setenv("COMMANDER_DATA_DIR", str(tmp_path / "data"))
    settings = settings_of_service(SERVICE)
    assert (settings.port, settings.public_url) == (443, "https://farm.example")
    assert settings.data_dir == tmp_path / "data", "the unit names this folder"
    file.unlink()
    assert settings_of_service(SERVICE).port == 8443
