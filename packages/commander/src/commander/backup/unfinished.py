"""Unfinished files of backups. The process that writes one holds a lock on it. A file without a lock is a left-over.

Each name has sixteen random hex digits, which other users can't guess. So no backup uses a name again, and left-overs
stay until they are removed here.
"""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

from commander.backup.encryption import MAGIC
from commander.private_files import NO_FOLLOW

_PART = re.compile(r"\..+\.[0-9a-f]{16}\.part")
_COPY = re.compile(r"\.(?P<database>.+)\.[0-9a-f]{16}\.copy")
_OF_SQLITE = ("-journal", "-wal", "-shm")
_ZIP = re.compile(rb"PK\x03\x04.{26}(database|tls/)", re.DOTALL)  # the name of its first member
_HEAD_BYTES = 64


def hold(file: IO[bytes]) -> bool:
    """Locks the file until it is closed. Returns False if another process holds it, or its disk has no locks.

    Windows needs no lock: an open file can't be removed there.
    """
    if sys.platform == "win32":
        return True
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def remove_left_overs(folder: Path, database: str) -> None:
    """Removes what killed backups have left in this folder: parts of archives, and copies of this database."""
    with suppress(OSError):
        for path in [*_left_overs(folder, database)]:
            for each in (path, *(path.with_name(path.name + suffix) for suffix in _OF_SQLITE)):
                each.unlink(missing_ok=True)


def _left_overs(folder: Path, database: str) -> Iterator[Path]:
    for path in folder.iterdir():
        copy = _COPY.fullmatch(path.name)
        if copy is not None and copy["database"] == database:
            if _is_ours_and_dead(path, is_copy=True):
                yield path
        elif _PART.fullmatch(path.name) and _is_ours_and_dead(path, is_copy=False):
            yield path


def _is_ours_and_dead(path: Path, *, is_copy: bool) -> bool:
    """Returns whether no process writes the file, and an archive begins as one of ours."""
    if not path.is_file() or path.is_symlink():
        return False
    try:
        descriptor = os.open(path, os.O_RDONLY | NO_FOLLOW)
    except OSError:
        return False
    with os.fdopen(descriptor, "rb") as file:
        head = file.read(_HEAD_BYTES)
        is_ours = is_copy or not head or head.startswith(MAGIC) or _ZIP.match(head) is not None
        return is_ours and hold(file)
