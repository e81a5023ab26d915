"""A copy of an SQLite database before its tables change."""

import logging
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from commander.problems import DatabaseProblem

KEPT = 2
MIB = 1024 * 1024
log = logging.getLogger(__name__)


def copy_before(path: Path, revision: str) -> Path:
    """Returns the copy, whole or not there. Older copies are removed, but for one. Raises `DatabaseProblem`."""
    target = path.with_name(f"{path.name}.revision-{revision}")
    part = target.with_name(f"{target.name}.part")
    _check_room(path)
    part.unlink(missing_ok=True)
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        _copy(path, part)
    except sqlite3.Error as error:
        part.unlink(missing_ok=True)
        raise DatabaseProblem(
            f"{path} could not be copied before its tables change ({error}), so nothing was changed. Mend that and "
            "start the commander again."
        ) from error
    part.replace(target)
    _drop_old(path)
    log.info("The tables of the database change. A copy of the database as it was: %s", target)
    return target


def _copy(path: Path, part: Path) -> None:
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(part)) as copy:
        source.backup(copy)
    descriptor = os.open(part, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check_room(path: Path) -> None:
    wal = path.with_name(f"{path.name}-wal")
    needed = path.stat().st_size + (wal.stat().st_size if wal.exists() else 0)
    if free_bytes(path.parent) < needed:
        raise DatabaseProblem(
            f"There is no room for a copy of the database before its tables change: {path.parent} needs "
            f"{needed // MIB + 1} MiB free. Make room, or put the old commander back; nothing was changed."
        )


def free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def _drop_old(path: Path) -> None:
    copies = sorted(path.parent.glob(f"{path.name}.revision-*"), key=lambda copy: copy.stat().st_mtime)
    for copy in copies[:-KEPT]:
        copy.unlink(missing_ok=True)
