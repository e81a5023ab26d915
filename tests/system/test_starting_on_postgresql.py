"""A commander that must not start on its PostgreSQL database: a sentence and a way on."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from commander.migrations.revisions import HEAD
from postgresql_server import PostgresqlServer, running_server

from tests.farm import CommanderProcess, commander_command, refusal, running_commander, sentence_of

pytestmark = [pytest.mark.system, pytest.mark.servers, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresqlServer]:
    with running_server() as server:
        yield server


@pytest.fixture
def commander(server: PostgresqlServer, tmp_path: Path) -> Iterator[CommanderProcess]:
    """A commander that runs on a database of its own, called `farm`."""
    server.run("createdb", "farm")
    with running_commander(tmp_path, COMMANDER_DATABASE_URL=server.url("farm")) as serving:
        yield serving
    server.run("dropdb", "--force", "farm")


def test_a_second_commander_is_refused_until_the_first_has_ended(commander: CommanderProcess, tmp_path: Path) -> None:
    (tmp_path / "second").mkdir()
    second = CommanderProcess(tmp_path / "second" / "data", more=commander.more)
    said = refusal(second)
    assert "Another commander runs on this PostgreSQL database" in said
    assert "set COMMANDER_NATS_URL on all of them" in said
    with commander.client() as client:
        assert client.get("/healthz").status_code == 200, "the first one goes on"
    commander.kill()
    second.start()  # PostgreSQL drops the lock of a killed commander with its connection
    try:
        assert "Another commander runs on this PostgreSQL database" in refusal(commander)
    finally:
        second.kill()


@pytest.mark.parametrize("loss", ["the database is new", "its rows are gone"])
def test_a_farm_whose_database_is_empty_is_not_replaced_by_a_new_one(
    commander: CommanderProcess, server: PostgresqlServer, loss: str
) -> None:
    assert commander.stop() == 0
    if loss == "the database is new":
        server.run("dropdb", "farm")
        server.run("createdb", "farm")
    else:
        server.run("psql", "-d", "farm", "-c", "TRUNCATE secrets")
    for done in (commander.run("serve"), commander.run("api-key", "create", "backup")):
        said = sentence_of(done)
        assert "the PostgreSQL database of COMMANDER_DATABASE_URL holds no farm" in said
        assert "commander restore --force FILE" in said
        assert "commander serve --new" in said
    if loss == "the database is new":
        tables = server.run("psql", "-d", "farm", "-tAc", "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
        assert int(tables) == 0, "the refusals have made nothing that looks like a farm"


def test_the_tables_do_not_change_if_no_backup_can_be_made(
    commander: CommanderProcess, server: PostgresqlServer
) -> None:
    assert commander.stop() == 0
    _set_revision(server, "0005")
    with_full_disk = ["bash", "-c", 'ulimit -f 1 && exec "$@"', "bash", *commander_command("serve")]
    done = subprocess.run(
        with_full_disk, env=commander.environment, capture_output=True, text=True, timeout=60, check=False
    )
    said = sentence_of(done)
    assert "no copy of it could be made before: file too large. So nothing was changed" in said
    assert "commander serve --without-copy" in said
    assert _revision(server) == "0005"
    _set_revision(server, HEAD)
    commander.start()


def _set_revision(server: PostgresqlServer, revision: str) -> None:
    server.run("psql", "-d", "farm", "-c", f"UPDATE alembic_version SET version_num = '{revision}'")  # noqa: S608 - of a test


def _revision(server: PostgresqlServer) -> str:
    return server.run("psql", "-d", "farm", "-tAc", "SELECT version_num FROM alembic_version").strip()
