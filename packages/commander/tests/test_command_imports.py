"""The modules that a command imports. A test gate starts hundreds of commands, and a cron job one each hour."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SERVER = {"litestar", "uvicorn", "httpx", "jinja2", "alembic"}
DATABASE = {"sqlalchemy", "asyncio", "asyncpg"}
PYTHON = (sys.executable, "-X", "importtime")


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a farm: the command that makes it imports Alembic."""
    made = tmp_path_factory.mktemp("farm")
    imported_by(made, "-m", "commander", "set-password", typed="a long password\n")
    return made


@pytest.mark.parametrize(
    ("command", "without"),
    [
        (["--version"], SERVER | DATABASE | {"cryptography", "pydantic"}),
        (["--help"], SERVER | DATABASE | {"cryptography", "pydantic"}),
        (["install-service", "--print"], SERVER | DATABASE | {"cryptography"}),
        (["api-key", "list"], SERVER | {"asyncpg", "segno", "cryptography.x509"}),
        (["backup", "farm.zip"], SERVER | {"asyncpg", "segno", "argon2"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_command_imports_nothing_that_it_does_not_need(data_dir: Path, command: list[str], without: set[str]) -> None:
    assert imported_by(data_dir, "-m", "commander", *command) & without == set()


def test_a_server_on_sqlite_imports_no_driver_of_postgresql(data_dir: Path) -> None:
    imported = imported_by(data_dir, "-c", "import commander.serve, commander.app")
    assert "litestar" in imported
    assert imported & {"alembic", "asyncpg"} == set()


def imported_by(data_dir: Path, *arguments: str, typed: str = "") -> set[str]:
    """Runs Python; returns the modules that it has imported."""
    ran = subprocess.run(
        [*PYTHON, *arguments],
        check=True,
        cwd=data_dir,
        env={**os.environ, "COMMANDER_DATA_DIR": str(data_dir)},
        input=typed,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    lines = [line for line in ran.stderr.splitlines() if line.startswith("import time:")]
    assert len(lines) > 50, ran.stderr
    return {line.rpartition("|")[2].strip() for line in lines}
