"""A real commander in this process: the whole application on a SQLite database in a temporary folder."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from commander.accounts.gate import Gate
from commander.db import open_database
from commander.migrations import migrate
from commander.settings import Settings, load_settings
from commander_farm import PASSWORD, Farm, running, serving


@pytest.fixture(scope="session")
def empty_farm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with its tables and the password: copying it is twenty times faster than making it."""
    path = tmp_path_factory.mktemp("empty") / "commander.db"
    migrate(path)
    asyncio.run(_set_password(path))
    return path


async def _set_password(path: Path) -> None:
    async with open_database(f"sqlite:///{path}") as database:
        await Gate(database).set_password(PASSWORD)


@pytest.fixture
def settings(tmp_path: Path, empty_farm: Path) -> Settings:
    folder = tmp_path / "commander"
    folder.mkdir()
    shutil.copy(empty_farm, folder)
    return load_settings(
        {
            "COMMANDER_DATA_DIR": str(folder),
            "COMMANDER_HOST": "127.0.0.1",
            "COMMANDER_TLS": "off",
        }
    )


@pytest.fixture
async def farm(settings: Settings) -> AsyncIterator[Farm]:
    async with running(settings) as client:
        farm = Farm(client, settings)
        await farm.make_key()
        yield farm


@pytest.fixture
async def served_farm(settings: Settings) -> AsyncIterator[Farm]:
    async with serving(settings) as client:
        farm = Farm(client, settings)
        await farm.make_key()
        yield farm
