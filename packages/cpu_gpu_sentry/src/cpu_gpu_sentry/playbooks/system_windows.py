"""The system calls that start and stop a playbook. Windows only; `system_posix` is the counterpart.

Written from Microsoft's documentation and not yet run on a rig.
"""

# ruff: noqa: E402 - the type checker stops reading at the assertion elsewhere
import sys

assert sys.platform == "win32"  # noqa: S101

import msvcrt
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from protocol.playbook_messages import Platform

from cpu_gpu_sentry.playbooks import keeper_windows
from cpu_gpu_sentry.playbooks.late_keepers import START_S, TOO_LATE

HERE = Platform.WINDOWS
SYNCS_AT_ONCE = False  # nothing syncs a whole folder there: each file is synced when it is written
KEEPER = Path(keeper_windows.__file__)
ALREADY_RUNS = keeper_windows.ALREADY_RUNS
_STEP_S = 0.05
_DETACHED = subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW | subprocess.CREATE_BREAKAWAY_FROM_JOB


def is_held(lock: Path) -> bool:
    """Returns whether a keeper lives: it locks the first byte."""
    try:
        file = os.open(lock, os.O_RDWR | os.O_BINARY)
    except FileNotFoundError:
        return False
    try:
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        msvcrt.locking(file, msvcrt.LK_UNLCK, 1)
    except OSError:
        return True
    finally:
        os.close(file)
    return False


@contextmanager
def held(lock: Path) -> Iterator[None]:
    """Holds the lock; waits for its present holder."""
    file = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_BINARY, 0o600)
    try:
        while True:
            try:
                msvcrt.locking(file, msvcrt.LK_LOCK, 1)  # gives up after 10 s
            except OSError:
                continue
            break
        yield
    finally:
        os.close(file)


def start_keeper(folder: Path, start: Path, environment: Mapping[str, str]) -> int:
    """Returns when the keeper has taken over the start file, or has ended: then its exit code. A late one is killed."""
    with (folder / "keeper.log").open("wb") as output:
        keeper = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-I", "-S", str(KEEPER), str(folder), str(start)],
            env=dict(environment), stdin=subprocess.DEVNULL, stdout=output, stderr=output, creationflags=_DETACHED,
        )  # fmt: skip
        deadline = time.monotonic() + START_S
        while start.exists() and time.monotonic() < deadline:
            if keeper.poll() is not None:
                return keeper.returncode
            time.sleep(_STEP_S)
        if start.exists():
            keeper.kill()
            keeper.wait()
            output.write(TOO_LATE)
            return 1
    keeper.returncode = 0  # it outlives this process, which does not wait for it
    return 0


def ask_to_end(process: psutil.Process) -> None:
    """Asks a program to end by its console, because one without a window can't be asked otherwise."""
    with suppress(psutil.Error, OSError, ValueError):
        process.send_signal(signal.CTRL_BREAK_EVENT)


def end_now(process: psutil.Process) -> None:
    with suppress(psutil.Error):
        process.kill()


def sync_folder(_folder: Path) -> None:
    """Does nothing: each file was synced when it was written."""
