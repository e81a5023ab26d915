"""The migrations make exactly the tables that the code speaks of, on both databases."""

import asyncio
import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from commander.db import Database, metadata
from commander.migrations import migrate, tables
from commander.migrations.revisions import HEAD, SchemaTooNew, known_revisions
from commander.partitions import partitioned_tables
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
