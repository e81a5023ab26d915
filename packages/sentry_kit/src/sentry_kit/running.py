"""Runs a sentry's service on its store; a damaged store is moved aside, not died of again and again."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Coroutine
from pathlib import Path

from sentry_kit import store
from sentry_kit.errors import StorageError
from sentry_kit.worker import Worker

log = logging.getLogger(__name__)

_REPAIRS = 3
_DISK_END_S = 3

Serve = Callable[[sqlite3.Connection, Worker], Coroutine[None, None, None]]
Runner = Callable[[Coroutine[None, None, None]], None]


def run_on_store(path: Path, schema: str, keep: tuple[str, ...], serve: Serve, *, runner: Runner = asyncio.run) -> None:
    """Returns when `serve` does. `keep` names the tables that are saved from a damaged store, as far as they can be
    read."""
    for _repair in range(_REPAIRS):
        try:
            _run_once(path, schema, serve, runner)
        except* (sqlite3.DatabaseError, StorageError) as group:
            _repair_store(path, schema, keep, group)
        else:
            return
    raise StorageError(f"The disk under {path.parent} damages the sentry's file again and again; replace it.")


def _run_once(path: Path, schema: str, serve: Serve, runner: Runner) -> None:
    db = store.open_store(path, schema)
    disk = Worker("disk")
    try:
        runner(serve(db, disk))
    finally:
        if disk.end(within_s=_DISK_END_S):  # a connection that is in use must not be closed
            db.close()


def _repair_store(path: Path, schema: str, keep: tuple[str, ...], group: BaseExceptionGroup[Exception]) -> None:
    if not all(store.is_damage(each) or store.is_damage(each.__cause__) for each in _leaves(group)):
        raise group
    aside = store.move_aside(path, schema, keep=keep)
    log.error("store_damaged The sentry's file was damaged; it was moved to %s and a new one was started.", aside)


def _leaves(group: BaseExceptionGroup[Exception]) -> list[BaseException]:
    leaves: list[BaseException] = []
    for each in group.exceptions:
        leaves += _leaves(each) if isinstance(each, BaseExceptionGroup) else [each]
    return leaves
