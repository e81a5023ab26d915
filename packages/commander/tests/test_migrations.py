"""The migrations make exactly the tables that the code speaks of, on both databases."""

import asyncio
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from commander import migrations
from commander.db import Database, metadata
from commander.farm_lease import FARM_LOCK
from commander.migrate_data.target import MOVE_LOCK
from commander.migrations import copies, migrate, sqlite_revision, tables
from commander.migrations.revisions import HEAD, SchemaTooNew, known_revisions
from commander.partitions import PARTS_LOCK, partitioned_tables
from commander.postgresql import SCHEMA_LOCK
from commander.problems import DatabaseProblem
from postgresql_server import PostgresqlServer


def differences(connection: sa.Connection) -> list[object]:
    return list(compare_metadata(MigrationContext.configure(connection), metadata))


async def test_a_migrated_database_has_the_tables_of_the_code(database: Database) -> None:
    assert tables
    async with database.reading() as db:
        assert await db.run_sync(differences) == []


async def test_at_the_newest_revision_there_is_nothing_to_do(database_url: str) -> None:
    assert not await asyncio.to_thread(migrate, database_url)


def test_the_head_is_the_newest_step_there_is() -> None:
    assert max(known_revisions()) == HEAD


async def test_a_database_of_a_newer_commander_is_left_alone(database: Database) -> None:
    async with database.transaction() as db:
        await db.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaTooNew, match="update this commander"):
        await asyncio.to_thread(migrate, database.url)


def test_an_empty_file_gets_its_tables(tmp_path: Path) -> None:
    assert migrate(tmp_path / "commander.db")
    with sqlite3.connect(tmp_path / "commander.db") as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchone() == (HEAD,)
    connection.close()


def test_tables_change_only_after_a_copy_of_the_database(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path, copy = tmp_path / "commander.db", tmp_path / "commander.db.revision-0005"
    upgrade_to("0005", path)
    with caplog.at_level("INFO"):
        assert migrate(path)
    assert str(copy) in caplog.text
    assert (revision_of(copy), revision_of(path)) == ("0005", HEAD)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert not list(tmp_path.glob("*.part"))


def test_without_room_for_the_copy_nothing_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "commander.db"
    upgrade_to("0005", path)
    monkeypatch.setattr(copies, "free_bytes", lambda _folder: 100)
    with pytest.raises(DatabaseProblem, match="There is no room for a copy of the database"):
        migrate(path)
    assert revision_of(path) == "0005"


@pytest.mark.parametrize(("size", "meaning"), [(-5, (5, 1)), (5, (5, 0)), (1, (1, 0))])
def test_a_batch_that_grows_is_still_one_after_the_upgrade(tmp_path: Path, size: int, meaning: tuple[int, int]) -> None:
    path = tmp_path / "commander.db"
    upgrade_to("0019", path)
    insert = (
        "INSERT INTO commands (action, arguments, reason, made_at, made_by, state, size, max_failures, valid_s, run, "
        "note, overlaps) VALUES ('update_sentry', '{}', '', 0, 'owner', 'running', ?, 2, 600, 1, '', '[]')"
    )
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(insert, (size,))
        connection.commit()
    assert migrate(path)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT size, is_growing FROM commands").fetchall() == [meaning]


def upgrade_to(revision: str, path: Path) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.set_main_option("sqlalchemy.url", f"sqlite:///{path}")
    config.attributes["connection"] = None
    command.upgrade(config, revision)


def revision_of(path: Path) -> str | None:
    with closing(sqlite3.connect(path)) as connection:
        return sqlite_revision(connection)


@pytest.mark.servers
async def test_of_several_commanders_that_start_at_once_one_takes_the_steps(
    postgresql_server: PostgresqlServer,
) -> None:
    postgresql_server.run("createdb", "started_at_once")
    url = postgresql_server.url("started_at_once")
    took = await asyncio.gather(*(asyncio.to_thread(migrate, url) for _ in range(4)))
    assert sorted(took) == [False, False, False, True]


@pytest.mark.servers
async def test_what_the_code_keeps_in_parts_is_made_in_parts(postgresql: PostgresqlServer) -> None:
    query = "SELECT relname FROM pg_class WHERE relkind = 'p' ORDER BY 1"
    made = postgresql.run("psql", "-d", "empty", "-tAc", query).split()
    assert made == sorted(table.name for table in partitioned_tables()) != []


def test_no_two_advisory_locks_share_a_number() -> None:
    locks = [SCHEMA_LOCK, PARTS_LOCK, MOVE_LOCK, FARM_LOCK]
    assert len(set(locks)) == len(locks)
