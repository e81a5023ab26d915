"""The commander as a service of its machine: user, unit, data folder, first password."""

import os
import stat
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from commander.accounts.actions import AccountActions
from commander.db import open_database
from commander.own_service import install, settings_of_service
from commander.service_unit import SERVICE
from protocol.service_setup import Place
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
    (tmp_path / "units").mkdir()
    settings = settings_of_service(OURS, {"COMMANDER_DATA_DIR": str(tmp_path / "data"), "COMMANDER_PORT": "9443"})
    place = Place(tmp_path / "units", runs=False)
    said: list[str] = []
    install(OURS, settings, said.append, start=True, place=place)
    assert f"ReadWritePaths={tmp_path / 'data'}\n" in place.unit(OURS).read_text()
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    lines = dict(line.partition(": ")[::2] for line in said)
    assert lines["Address"].endswith(":9443")
    password = lines["Password (shown this once; `commander set-password` changes it)"]
    async with open_database(settings.database_url) as database:
        assert await AccountActions(database).is_password(password)
    assert any("9443" in line and "firewall" in line for line in said)
    assert any("commander fetch-packages" in line for line in said)
    said.clear()
    install(OURS, settings, said.append, start=True, place=place)
    assert not any(line.startswith("Password") for line in said)


def test_the_service_s_settings_are_those_of_its_file_and_its_own_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "commander.env"
    monkeypatch.setattr(Service, "settings_file", file)
    assert settings_of_service(SERVICE, {}).data_dir == Path("/var/lib/minewarden-commander")
    file.write_text("# a comment\nCOMMANDER_PORT=443\n\nCOMMANDER_PUBLIC_URL='https://farm.example'\n")
    settings = settings_of_service(SERVICE, {"HOME": "/root"})
    assert (settings.port, settings.public_url) == (443, "https://farm.example")
    assert settings_of_service(SERVICE, {"COMMANDER_PORT": "8444"}).port == 8444
