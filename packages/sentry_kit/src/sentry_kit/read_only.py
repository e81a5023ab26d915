"""Works in memory on a read-only disk. Linux makes a disk read-only after errors."""

import logging
import os
import sqlite3
import sys
from contextlib import closing, suppress
from pathlib import Path

from sentry_kit.copies import take_over

log = logging.getLogger(__name__)

SENTENCE = "The disk can only be read: logs wait in memory, and what is changed is lost at the next start."
_STAYS_ON_DISK = "spool"  # it may be large, and is sent when the disk works again


def is_read_only(folder: Path) -> bool:
    """Returns whether the folder's file system is mounted read-only; always False on Windows."""
    return sys.platform != "win32" and bool(os.statvfs(folder).f_flag & os.ST_RDONLY)


def open_in_memory(path: Path, schema: str) -> sqlite3.Connection:
    """Returns a store in memory with the content of the store at `path`, without waiting logs; or of its copies."""
    log.error(
        "disk_read_only %s is on a disk that can only be read: the sentry measures and reports from memory.", path
    )
    db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
    db.executescript(schema)
    for how in ("mode=ro", "mode=ro&immutable=1"):  # the second works after a clean stop, which leaves no -wal file
        with suppress(sqlite3.Error), closing(sqlite3.connect(f"{path.absolute().as_uri()}?{how}", uri=True)) as old:
            _copy(old, db)
            break
    else:
        take_over(db, path)
    return db


def is_in_memory(db: sqlite3.Connection) -> bool:
    return not db.execute("PRAGMA database_list").fetchone()[2]


def _copy(old: sqlite3.Connection, new: sqlite3.Connection) -> None:
    """Copies the columns that both have. Raises `sqlite3.Error` if the old store can't be read."""
    old_tables = _tables(old)
    for table in _tables(new) & old_tables - {_STAYS_ON_DISK}:
        columns = ", ".join(_columns(old, table) & _columns(new, table))
        rows = old.execute(f"SELECT {columns} FROM {table}").fetchall()  # noqa: S608 - our own tables' names
        marks = ", ".join("?" * (columns.count(",") + 1))
        new.executemany(f"INSERT OR REPLACE INTO {table} ({columns}) VALUES ({marks})", rows)  # noqa: S608


def _tables(db: sqlite3.Connection) -> set[str]:
    rows = db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    return {name for (name,) in rows}


def _columns(db: sqlite3.Connection, table: str) -> set[str]:
    return {row[1] for row in db.execute(f"PRAGMA table_info({table})")}
