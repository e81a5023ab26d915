"""The database's schema, step by step. Alembic is imported only when there is a step to take."""

import sqlite3
from pathlib import Path

from commander.db import connect_sqlite

HEAD = "0002"


def migrate(path: Path) -> bool:
    """Bring the SQLite database at `path` to `HEAD`; True if a step was taken."""
    with connect_sqlite(path) as connection:
        at_head = _revision(connection) == HEAD
    connection.close()
    if not at_head:
        _upgrade(path)
    return not at_head


def _revision(connection: sqlite3.Connection) -> str | None:
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError:
        return None
    return row[0] if row else None


def _upgrade(path: Path) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("sqlalchemy.url", f"sqlite:///{path}".replace("%", "%%"))
    command.upgrade(config, HEAD)
