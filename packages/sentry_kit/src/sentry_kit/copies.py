"""Copies of the rows that must outlive a damaged store, one small file per table: `sentry-enrolment.copy`.

The store is the truth, and the copies follow it. A new store takes over the copies: if the old one is damaged or gone,
the sentry keeps its commander and its playbooks. The store is then marked, so that an empty table means what it says:
the sentry has left the commander, or the last ASIC was removed.
"""

import logging
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from sentry_kit.private_files import write_private

log = logging.getLogger(__name__)

# msgspec's own error is a ValueError, and so is that of a text which is no UTF-8
_UNREADABLE = (OSError, ValueError, sqlite3.Error, OverflowError, RecursionError)


class Copy(msgspec.Struct, frozen=True):
    """A table's rows, as MessagePack."""

    columns: list[str]
    rows: list[list[Any]]  # the types of SQLite


class Copies:
    """Keeps the copies up to date. `tables` has each table's columns to copy, or `*`."""

    def __init__(self, store_path: Path, tables: Mapping[str, str]) -> None:
        self._path, self._tables = store_path, tables
        self._saved: tuple[int, int] | None = None

    def save(self, db: sqlite3.Connection) -> None:
        """Writes the copies of tables that have changed. If that fails, the next call tries again."""
        now = db.total_changes, int(db.execute("PRAGMA data_version").fetchone()[0])
        if now == self._saved:
            return
        try:
            _mark(db)
            for table, columns in self._tables.items():
                _write(path_of(self._path, table), _read(db, table, columns))
        except (sqlite3.OperationalError, OSError) as error:
            log.debug("copies_not_written %s", error)  # a full disk, which is reported elsewhere
            return
        self._saved = now


def _write(path: Path, content: bytes) -> None:
    """Writes the file if its content differs, because another process may have written it.

    A file that can't be read is replaced: root may have written it.
    """
    if _content(path) != content:
        write_private(path, content)


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def path_of(store_path: Path, table: str) -> Path:
    return store_path.with_name(f"{store_path.stem}-{table}.copy")


def take_over(db: sqlite3.Connection, store_path: Path) -> None:
    """Fills a new store with the copies; the caller opens the transaction."""
    before = len(store_path.stem) + 1
    for path in sorted(store_path.parent.glob(f"{store_path.stem}-*.copy")):
        table = path.stem[before:]
        try:
            copy = msgspec.msgpack.decode(path.read_bytes(), type=Copy)
            _fill(db, table, copy)
        except _UNREADABLE as error:
            log.warning("copy_unreadable %s %s", path.name, error)
            continue
        log.warning("copy_taken_over table=%s rows=%d", table, len(copy.rows))
    _mark(db)


def _fill(db: sqlite3.Connection, table: str, copy: Copy) -> None:
    """Inserts the rows. Raises `sqlite3.Error` for an unknown table or column."""
    table_columns = [str(column[1]) for column in db.execute(f"PRAGMA table_info({_quoted(table)})")]
    if not set(copy.columns) <= set(table_columns):
        raise sqlite3.OperationalError(f"{table} has no such columns")
    columns, marks = ", ".join(map(_quoted, copy.columns)), ", ".join("?" * len(copy.columns))
    db.executemany(f"INSERT OR REPLACE INTO {_quoted(table)} ({columns}) VALUES ({marks})", copy.rows)  # noqa: S608


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def is_new(db: sqlite3.Connection) -> bool:
    """Returns whether the store has never been marked."""
    return int(db.execute("PRAGMA user_version").fetchone()[0]) == 0


def are_there(store_path: Path) -> bool:
    return any(store_path.parent.glob(f"{store_path.stem}-*.copy"))


def _mark(db: sqlite3.Connection) -> None:
    if is_new(db):
        db.execute("PRAGMA user_version = 1")


def _read(db: sqlite3.Connection, table: str, columns: str) -> bytes:
    rows = db.execute(f"SELECT {columns} FROM {_quoted(table)}")  # noqa: S608 - our own tables
    names = [str(column[0]) for column in rows.description]
    return msgspec.msgpack.encode(Copy(names, [list(row) for row in rows]))
