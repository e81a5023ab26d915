"""The migrations make exactly the tables that the code speaks of, on both databases."""

import asyncio
import resource
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from secrets import token_hex

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from commander import migrations
from commander.backup.archive import opened_archive
from commander.backup.before_migration import migrate_after_copy
from commander.backup.restore import no_passphrase
from commander.db import Database, metadata
from commander.farm_lease import FARM_LOCK, SIGNING_LOCK
from commander.migrate_data.target import MOVE_LOCK
from commander.migrations import copies, migrate, revision_at, sqlite_revision, tables
from commander.migrations.copies import NoCopy
from commander.migrations.on_postgresql import stepping
from commander.migrations.revisions import HEAD, SchemaTooNew, known_revisions
from commander.partitions import PARTS_LOCK, partitioned_tables
from commander.postgresql import SCHEMA_LOCK
from commander.settings import Settings
from commander_farm import settings_of
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
    with pytest.raises(NoCopy, match="there is no room for it"):
        migrate(path)
    assert revision_of(path) == "0005"


@contextmanager
def files_of_at_most(size_bytes: int) -> Iterator[None]:
    """Lets no file of this process grow further, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_copy_that_fails_stops_the_change_of_the_tables(tmp_path: Path) -> None:
    path = tmp_path / "commander.db"
    upgrade_to("0005", path)
    with files_of_at_most(40_000), pytest.raises(NoCopy, match=r"can't be written .*So nothing was changed"):
        migrate(path)
    assert not list(tmp_path.glob("*.part"))
    with files_of_at_most(10_000), pytest.raises(sqlite3.OperationalError, match="disk I/O error"):
        migrate(path)  # what can't be read does not count as empty
    in_the_way = tmp_path / "commander.db.revision-0005.part"
    in_the_way.mkdir()  # for root no folder is read-only
    with pytest.raises(NoCopy, match="can't be written"):
        migrate(path)
    assert revision_of(path) == "0005"
    assert migrate(path, with_copy=False)
    assert not list(tmp_path.glob("*.revision-0005"))


@pytest.fixture
def earlier(
    postgresql_server: PostgresqlServer, drop_soon: Callable[[str], None], tmp_path: Path
) -> Iterator[Settings]:
    """The settings of a commander whose PostgreSQL database is of an earlier version."""
    name = f"earlier_{token_hex(4)}"
    postgresql_server.run("createdb", name)
    url = postgresql_server.url(name)
    asyncio.run(stepping(url, lambda _url, connection: command.upgrade(config_of("", connection), "0005")))
    yield settings_of(tmp_path, url)
    drop_soon(name)


@pytest.mark.servers
def test_on_postgresql_the_tables_change_only_after_a_backup(earlier: Settings) -> None:
    for number in range(copies.KEPT):
        (earlier.data_dir / f"before-000{number}-20260101T000000.zip").touch()
    of_a_person = earlier.data_dir / "before-upgrade.zip"
    of_a_person.touch()
    migrate_after_copy(earlier)
    assert asyncio.run(revision_at(earlier.database_url)) == HEAD
    assert of_a_person.exists()
    copy = earlier.data_dir.glob(f"before-{HEAD}-*.zip")
    with opened_archive(next(copy), no_passphrase) as (_, manifest):
        assert manifest.revision == "0005"
    assert len(list(earlier.data_dir.glob("before-0*.zip"))) == copies.KEPT


@pytest.mark.servers
def test_on_postgresql_a_backup_that_fails_stops_the_change_of_the_tables(earlier: Settings) -> None:
    with files_of_at_most(1_000), pytest.raises(NoCopy, match=r"file too large\. So nothing was changed"):
        migrate_after_copy(earlier)
    assert asyncio.run(revision_at(earlier.database_url)) == "0005"
    assert not list(earlier.data_dir.iterdir())
    migrate_after_copy(earlier, with_copy=False)
    assert asyncio.run(revision_at(earlier.database_url)) == HEAD


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
    command.upgrade(config_of(f"sqlite:///{path}", None), revision)


def config_of(url: str, connection: sa.Connection | None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(migrations.__file__).parent))
    config.set_main_option("sqlalchemy.url", url)
    config.attributes["connection"] = connection
    return config


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
    locks = [SCHEMA_LOCK, PARTS_LOCK, MOVE_LOCK, FARM_LOCK, SIGNING_LOCK]
    assert len(set(locks)) == len(locks)
