"""The file that a running sentry locks: one sentry per data directory."""

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout
from protocol.reasons import reason

from sentry_kit.errors import SentryError, StorageError
from sentry_kit.read_only import is_read_only

_LOCK_WAIT_S = 1  # `status` holds the lock for a moment, to see whether it is free


@contextlib.contextmanager
def only_one(data_dir: Path, program: str) -> Iterator[None]:
    """Refuses a second `run` on one data directory, which would report every log twice.

    On a read-only disk only the local page's port prevents a second one.
    """
    if is_read_only(data_dir):
        yield
        return
    lock = _lock(data_dir)
    if not _is_acquired(lock, _LOCK_WAIT_S):
        raise SentryError(f"{program} already runs with the data directory {data_dir}; stop that one first.")
    try:
        yield
    finally:
        lock.release()


def is_running(data_dir: Path) -> bool:
    lock = _lock(data_dir)
    if not _is_acquired(lock, 0):
        return True
    lock.release()
    return False


def _lock(data_dir: Path) -> FileLock:
    return FileLock(data_dir / "run.lock", mode=0o600)


def _is_acquired(lock: FileLock, within_s: float) -> bool:
    try:
        lock.acquire(timeout=within_s)
    except Timeout:
        return False
    except OSError as error:
        if error.errno == errno.EROFS:
            raise StorageError(
                f"The disk under {Path(lock.lock_file).parent} can only be read: it is unknown whether a sentry "
                "runs there, and its local page accepts no log-in. Repair the disk, and start the sentry again."
            ) from error
        raise StorageError(
            f"{lock.lock_file} can't be opened ({reason(error)}). It must be a file of the sentry's user: remove it "
            "and start again."
        ) from error
    return True
