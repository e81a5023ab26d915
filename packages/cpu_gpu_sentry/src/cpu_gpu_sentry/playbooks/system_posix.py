"""The system calls that start and stop a playbook. POSIX only; `system_windows` is the counterpart."""

import ctypes
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from protocol.playbook_messages import Platform
from sentry_kit.read_only import is_read_only

from cpu_gpu_sentry.playbooks import keeper_posix
from cpu_gpu_sentry.playbooks.late_keepers import START_S, TOO_LATE

HERE = Platform.LINUX
SYNCS_AT_ONCE = True  # `sync_folder` is enough; `fsync` of 100,000 files takes minutes
KEEPER = Path(keeper_posix.__file__)
ALREADY_RUNS = keeper_posix.ALREADY_RUNS


def is_held(lock: Path) -> bool:
    """Returns whether a keeper lives. The lock is shared, so that two that look do not take each other for a keeper."""
    try:
        file = os.open(lock, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(file)
    return False


@contextmanager
def held(lock: Path) -> Iterator[None]:
    """Holds the lock, waiting for its turn. A read-only disk needs no lock: nothing can change there."""
    if is_read_only(lock.parent):
        yield
        return
    file = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)


def start_keeper(folder: Path, start: Path, environment: Mapping[str, str]) -> int:
    """Starts the keeper in its own session. Returns its exit code once it runs in the background.

    A late keeper is killed.
    """
    with (folder / "keeper.log").open("wb") as output:
        try:
            keeper = subprocess.run(  # noqa: S603 - our own program
                [sys.executable, "-I", "-S", str(KEEPER), str(folder), str(start)],
                env=dict(environment), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True, timeout=START_S, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            output.write(TOO_LATE)
            return -signal.SIGKILL
    return keeper.returncode


def ask_to_end(process: psutil.Process) -> None:
    with suppress(psutil.Error):
        process.send_signal(signal.SIGTERM)


def end_now(process: psutil.Process) -> None:
    with suppress(psutil.Error):
        process.kill()


def sync_folder(folder: Path) -> None:
    """Returns when everything below the folder is on disk. Linux's `syncfs` syncs that disk, others sync all."""
    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if syncfs is None:
        os.sync()
        return
    file = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if syncfs(file) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    finally:
        os.close(file)
