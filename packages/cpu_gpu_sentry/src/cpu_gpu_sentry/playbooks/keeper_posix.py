"""Runs one playbook's script and outlives the sentry: a process of its own, started with the plain interpreter.

POSIX only. It imports nothing but small parts of the standard library, because one of it lives beside every miner.

* It holds a lock for as long as anything of the playbook lives. The kernel always releases it, so a held
  lock is proof that the playbook runs, and no second one can start beside it.
* It is the "subreaper" of all that the script starts: what detaches itself, into a session of its own too, remains
  below it in the tree of processes and is found when the playbook is stopped.
* It reads what they print, from a terminal so that it comes line by line, into files that are bounded, whether a
  sentry runs or not.

`keeper_posix.py FOLDER START`: START is a file with {"run", "command", "cwd", …}. It exits 0 as soon as the script
has been started, in the background from then on, or 3 if the playbook runs already.
"""

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import signal
import sys
import time
from collections.abc import Callable

ALREADY_RUNS = 3
_LOCK_TRIES = 40  # 2 s: a process that only looks whether the lock is held, holds it for a moment
_SEGMENT_BYTES = 1_000_000
_SEGMENTS = 5
_LINE_LIMIT = 8192
_PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
_PR_SET_NO_NEW_PRIVS = 38
_IGNORED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGTTOU)


def take_lock(path: str) -> bool:
    """Held until this process ends; closed in what it runs."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    for _try in range(_LOCK_TRIES):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(0.05)
        else:
            return True
    return False


def write_json(path: str, value: object) -> None:
    with open(f"{path}.tmp", "w", encoding="utf-8") as file:  # noqa: PTH123 - pathlib costs a megabyte
        json.dump(value, file)
    os.replace(f"{path}.tmp", path)  # noqa: PTH105


class Ring:
    """The last megabytes that a playbook printed, over all of its runs. A file's name says its run and its first
    line's number."""

    def __init__(self, folder: str, run: str) -> None:
        self._folder, self._run = folder, run
        self._lines = 0  # whole ones so far
        self._open_line = 0  # bytes of the one that has no end yet
        self._file = -1
        self._size = 0
        os.makedirs(folder, 0o700, exist_ok=True)  # noqa: PTH103
        self._turn()

    def write(self, data: bytes) -> None:
        """A carriage return ends no line: it only overwrites."""
        *whole, rest = data.split(b"\n")
        for line in whole:
            self._write_line(line + b"\n")
        if rest:
            self._write_line(rest)

    def _write_line(self, piece: bytes) -> None:
        while self._open_line + len(piece) > _LINE_LIMIT:
            room = _LINE_LIMIT - self._open_line
            self._put(piece[:room] + b"\n")
            piece = piece[room:]
        self._put(piece)

    def _put(self, piece: bytes) -> None:
        with contextlib.suppress(OSError):  # on a full disk the miner must not wait
            self._size += os.write(self._file, piece)
        if not piece.endswith(b"\n"):
            self._open_line += len(piece)
            return
        self._open_line = 0
        self._lines += 1
        if self._size >= _SEGMENT_BYTES:
            self._turn()

    def _turn(self) -> None:
        """Begins a new file and deletes the oldest."""
        if self._file >= 0:
            os.close(self._file)
        names = sorted(name for name in os.listdir(self._folder) if name.endswith(".log"))  # noqa: PTH208
        for name in names[: max(0, len(names) - _SEGMENTS + 1)]:
            with contextlib.suppress(OSError):
                os.unlink(f"{self._folder}/{name}")  # noqa: PTH108
        path = f"{self._folder}/{self._run}.{self._lines:012d}.log"
        self._file, self._size = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600), 0

    def end(self) -> None:
        if self._open_line:
            self._put(b"\n")
        os.close(self._file)


class Children:
    """All processes that the script started, reaped as they end.

    The script's own end is noted at once, because processes that it left behind may be only half of it.
    """

    def __init__(self, on_script_end: Callable[[int], None]) -> None:
        self._on_script_end = on_script_end
        self._script = -1

    def adopt_all(self) -> None:
        """Orphans come to this process (Linux); elsewhere only what stays in the tree is found."""
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    def start(self, command: list[str], cwd: str, terminal: int, account: "dict[str, object] | None") -> None:
        self._script = os.fork()
        if self._script == 0:
            _become(command, cwd, terminal, account)

    def reap(self, *_signal: object) -> bool:
        """Returns whether no process is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return True
            if pid == 0:
                return False
            if pid == self._script:
                self._on_script_end(os.waitstatus_to_exitcode(status))


def take_account(account: "dict[str, object]", terminal: int) -> None:
    """Gives up all rights of this process for those of an account, for ever.

    Miners lock memory for huge pages, so that limit is lifted before.
    """
    import resource

    uid, gid, groups = account["uid"], account["gid"], account["groups"]
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    with contextlib.suppress(OSError):
        os.fchown(terminal, uid, -1)  # type: ignore[arg-type]  # the sentry wrote numbers
    os.setgroups(groups)  # type: ignore[arg-type]
    os.setresgid(gid, gid, gid)  # type: ignore[arg-type]
    os.setresuid(uid, uid, uid)  # type: ignore[arg-type]
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def _become(command: list[str], cwd: str, terminal: int, account: "dict[str, object] | None") -> None:
    try:
        os.setsid()
        for number in (*_IGNORED, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((nothing, 0), (terminal, 1), (terminal, 2)):
            os.dup2(source, target)
        os.umask(0o022)
        os.chdir(cwd)
        if account:
            take_account(account, 1)
        os.execv(command[0], command)  # noqa: S606
    except OSError as error:
        os.write(2, f"{command[0]}: {os.strerror(error.errno or errno.EIO)}\n".encode())
    finally:
        os._exit(126)


def open_terminal() -> tuple[int, int]:
    """Programs keep what they print back until 4 KB are full unless they print to a terminal: a miner that crashes
    would take its last words with it. Where there are no terminals a pipe has to do."""
    try:
        reader, writer = os.openpty()
    except OSError:
        return os.pipe()
    with contextlib.suppress(Exception):
        import termios

        modes = termios.tcgetattr(writer)
        modes[1] &= ~termios.OPOST  # no \r before each \n
        termios.tcsetattr(writer, termios.TCSANOW, modes)
        termios.tcsetwinsize(writer, (50, 250))
    return reader, writer


def read_until_end(reader: int, ring: Ring) -> None:
    while True:
        try:
            data = os.read(reader, 65536)
        except OSError:  # Linux: no process has the terminal open any longer
            return
        if not data:
            return
        ring.write(data)


def keep(folder: str, start: dict[str, object], started_writer: int) -> None:
    """Keeps the script from its start to the end of every process that it started."""

    def store_exit_code(code: int) -> None:
        with contextlib.suppress(OSError):  # the folder may be gone: the playbook was removed
            write_json(f"{folder}/ended.json", {"run": start["run"], "code": code})

    children, ring = Children(store_exit_code), Ring(f"{folder}/output", str(start["run"]))
    children.adopt_all()
    reader, writer = open_terminal()
    command = [str(part) for part in start["command"]]  # type: ignore[attr-defined]  # the sentry wrote it
    account = start.get("account")
    children.start(command, str(start["cwd"]), writer, account)  # type: ignore[arg-type]
    os.close(writer)
    signal.signal(signal.SIGCHLD, children.reap)  # what ended before is found at the end
    os.write(started_writer, b"1")
    os.close(started_writer)
    read_until_end(reader, ring)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    while not children.reap():
        time.sleep(0.1)
    ring.end()


def main() -> int:
    folder, start_path = sys.argv[1:]
    if not take_lock(f"{folder}/lock"):
        return ALREADY_RUNS
    with open(start_path, encoding="utf-8") as file:  # noqa: PTH123
        start = json.load(file)
    started_reader, started_writer = os.pipe()
    if os.fork() != 0:  # the sentry need not be the parent of what outlives it
        os.close(started_writer)
        return 0 if os.read(started_reader, 1) == b"1" else 1
    os.close(started_reader)
    os.setsid()
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    write_json(f"{folder}/run.json", {**start, "keeper_pid": os.getpid(), "started_at": time.time()})
    with contextlib.suppress(OSError):
        os.unlink(start_path)  # noqa: PTH108
    keep(folder, start, started_writer)
    return 0


if __name__ == "__main__":
    sys.exit(main())
