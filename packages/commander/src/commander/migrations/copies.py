"""A copy of an SQLite database before its tables change."""

import logging
import os
import shutil
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from protocol.reasons import reason

from commander.db import wal_of
from commander.problems import DatabaseProblem

KEPT = 2
MIB = 1024 * 1024
log = logging.getLogger(__name__)


class NoCopy(DatabaseProblem):
    """The database could not be copied, so its tables stay as they are. `why` is a sentence without its full stop."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"The tables of the database must change, and no copy of it could be made before: {why}. So nothing was "
            "changed. Remove the cause and start the commander again; or go back to the old version; or make a copy "
            "yourself and type `commander serve --without-copy`."
        )


def copy_before(path: Path, revision: str) -> Path:
    """Returns the copy, whole or not there. Older copies are removed, but for one. Raises `NoCopy`."""
    target = path.with_name(f"{path.name}.revision-{revision}")
    part = target.with_name(f"{target.name}.part")
    try:
        _check_room(path)
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        _copy(path, part)
        part.replace(target)
    except (sqlite3.Error, OSError) as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise NoCopy(f"{target} can't be written ({reason(error)})") from error
    drop_old(path.parent, f"{path.name}.revision-*")
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
    wal = wal_of(path)
    needed = path.stat().st_size + (wal.stat().st_size if wal.exists() else 0)
    if free_bytes(path.parent) < needed:
        raise NoCopy(f"there is no room for it: {path.parent} needs {needed // MIB + 1} MiB free")


def free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def drop_old(folder: Path, pattern: str) -> None:
    """Removes all but the newest copies."""
    copies = sorted(folder.glob(pattern), key=lambda copy: copy.stat().st_mtime)
    for copy in copies[:-KEPT]:
        copy.unlink(missing_ok=True)
