"""Runs a sentry's service on its store. A damaged store is moved aside and replaced by a new one."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Coroutine, Mapping
from contextlib import closing
from pathlib import Path

from sentry_kit import read_only, store
from sentry_kit.copies import path_of
from sentry_kit.errors import StorageError
from sentry_kit.worker import Worker

log = logging.getLogger(__name__)

_REPAIRS = 3
_DISK_END_S = 3

Serve = Callable[[sqlite3.Connection, Worker], Coroutine[None, None, None]]
Runner = Callable[[Coroutine[None, None, None]], None]


def run_on_store(
    path: Path, schema: str, kept: Mapping[str, str], serve: Serve, *, runner: Runner = asyncio.run
) -> None:
    """Runs `serve` until it returns.

    `kept` names the tables that outlive a damaged store: from their copies, or as far as they can still be read.
    """
    for _repair in range(_REPAIRS):
        try:
            _run_once(path, schema, serve, runner)
        except (sqlite3.DatabaseError, StorageError, ExceptionGroup) as error:
            _repair_store(path, schema, kept, error)
        else:
            return
    raise StorageError(f"The disk under {path.parent} damages the sentry's file again and again; replace it.")


def _run_once(path: Path, schema: str, serve: Serve, runner: Runner) -> None:
    is_stuck = read_only.is_read_only(path.parent)
    db = read_only.open_in_memory(path, schema) if is_stuck else store.open_store(path, schema)
    disk = Worker("disk")
    try:
        runner(serve(db, disk))
    finally:
        if disk.end(within_s=_DISK_END_S):  # a connection that is in use must not be closed
            db.close()


def _repair_store(path: Path, schema: str, kept: Mapping[str, str], error: Exception) -> None:
    leaves = _leaves(error)
    if not all(store.is_damage(each) or store.is_damage(each.__cause__) for each in leaves):
        raise leaves[0] if all(isinstance(each, StorageError) for each in leaves) else error
    aside = move_aside(path, schema, kept)
    log.error("store_damaged The sentry's file was damaged; it was moved to %s and a new one was started.", aside)


def _leaves(error: BaseException) -> list[BaseException]:
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    return [leaf for each in error.exceptions for leaf in _leaves(each)]


def move_aside(path: Path, schema: str, kept: Mapping[str, str]) -> Path:
    """Renames a damaged store and starts a new one with the copies beside it.

    For a table without a copy, it takes what can still be read of the damaged store. These tables are small and stand
    at the start of the file, so a broken spool seldom affects them.
    """
    aside = path.with_name(f"{path.name}.damaged")
    for suffix in ("", "-wal", "-shm"):
        source, target = Path(f"{path}{suffix}"), Path(f"{aside}{suffix}")
        target.unlink(missing_ok=True)
        if source.exists():
            source.rename(target)
    with closing(store.open_store(path, schema)) as new, closing(sqlite3.connect(aside)) as old:
        for table in kept:
            if not path_of(path, table).exists():
                _copy(old, new, table)
    return aside


def _copy(old: sqlite3.Connection, new: sqlite3.Connection, table: str) -> None:
    try:
        rows = old.execute(f"SELECT * FROM {table}").fetchall()  # noqa: S608 - our own tables' names
    except sqlite3.Error:
        return
    for row in rows:
        marks = ", ".join("?" * len(row))
        new.execute(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", row)  # noqa: S608
