"""An SQLite database that can't grow, as on a full disk."""

import sqlite3

import sqlalchemy as sa
from commander.db import Database


class PagesLimit:
    """The number of pages that the database may have. Beyond it, SQLite fails as with a full disk."""

    def __init__(self, database: Database) -> None:
        self.pages = 1_000_000
        sa.event.listen(database._engine.sync_engine, "checkout", self._limit)

    def _limit(self, connection: sqlite3.Connection, *_: object) -> None:
        connection.execute(f"PRAGMA max_page_count={self.pages}")
