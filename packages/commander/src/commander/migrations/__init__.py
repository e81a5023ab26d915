"""The database's schema, step by step. Alembic is imported only when there is a step to take."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection

from commander.database_url import is_postgresql
from commander.db import BUSY_TIMEOUT_S, connect_sqlite, sqlite_path
from commander.migrations.copies import copy_before
from commander.migrations.revisions import HEAD, check_known


def migrate(database: Path | str, *, with_copy: bool = True) -> bool:
    """Bring the database, an SQLite file or any URL, to `HEAD`; True if a step was taken.

    An SQLite file is copied before; for PostgreSQL see `backup.before_migration`. Not inside an event loop. Raises
    `DatabaseProblem`.
    """
    if isinstance(database, str) and is_postgresql(database):
        return asyncio.run(_migrate_postgresql(database))
    return _migrate_sqlite(database if isinstance(database, Path) else sqlite_path(database), with_copy=with_copy)


def _migrate_sqlite(path: Path, *, with_copy: bool) -> bool:
    with connect_sqlite(path) as connection:
        revision = sqlite_revision(connection)
    connection.close()
    check_known(revision)
    if with_copy and revision not in (None, HEAD):
        copy_before(path, revision)
    if revision != HEAD:
        _upgrade(f"sqlite:///{path}", None)
    return revision != HEAD


def is_at_head(url: str) -> bool:
    """Returns whether there is no step to take. Not inside an event loop. Raises `DatabaseProblem`."""
    if is_postgresql(url):
        return asyncio.run(revision_at(url)) == HEAD
    path = sqlite_path(url)
    if not path.exists():
        return False
    with closing(sqlite3.connect(path, timeout=BUSY_TIMEOUT_S)) as connection:
        revision = sqlite_revision(connection)
    check_known(revision)
    return revision == HEAD


async def revision_at(url: str) -> str | None:
    """Returns the revision of a PostgreSQL database. Raises `DatabaseProblem`."""
    from commander.migrations import on_postgresql  # here: who stays with SQLite does not load the driver

    return await on_postgresql.revision_at(url)


def sqlite_revision(connection: sqlite3.Connection) -> str | None:
    """Returns None for an empty database. Raises the driver's error for one that can't be read."""
    if not connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'alembic_version'").fetchone()[0]:
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return row[0] if row else None


async def _migrate_postgresql(url: str) -> bool:
    from commander.migrations.on_postgresql import stepping  # here: who stays with SQLite does not load the driver

    return await stepping(url, _upgrade)


def _upgrade(url: str, connection: Connection | None) -> None:
    """By `connection`, or else by one of Alembic's own."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, HEAD)
