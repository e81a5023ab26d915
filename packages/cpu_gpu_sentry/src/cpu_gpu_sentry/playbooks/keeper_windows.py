"""Runs one playbook's script and outlives the sentry: the Windows side of `keeper_posix`, where the reasons stand.

Windows only, and not yet run on a rig. The keeper puts itself into a job object that ends everything in it when its
last handle is closed. What the script starts is born into that job, and no part of it can outlive the keeper.
"""

import contextlib
import ctypes
import json
import os
import subprocess
import sys
import time

ALREADY_RUNS = 3
_LOCK_TRIES = 40
_SEGMENT_BYTES = 1_000_000
_SEGMENTS = 5
_LINE_LIMIT = 8192
_LIMIT_INFORMATION = 9  # JobObjectExtendedLimitInformation
_KILL_ON_CLOSE = 0x2000  # JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE
_NO_WINDOW = 0x08000000  # CREATE_NO_WINDOW


class _Basic(ctypes.Structure):
    """JOBOBJECT_BASIC_LIMIT_INFORMATION."""

    _fields_ = [
        ("per_process_time", ctypes.c_int64), ("per_job_time", ctypes.c_int64), ("limit_flags", ctypes.c_uint32),
        ("minimum_working_set", ctypes.c_size_t), ("maximum_working_set", ctypes.c_size_t),
        ("active_processes", ctypes.c_uint32), ("affinity", ctypes.c_size_t), ("priority", ctypes.c_uint32),
        ("scheduling", ctypes.c_uint32),
    ]  # fmt: skip


class _Extended(ctypes.Structure):
    """JOBOBJECT_EXTENDED_LIMIT_INFORMATION."""

    _fields_ = [
        ("basic", _Basic), ("io", ctypes.c_uint64 * 6), ("process_memory", ctypes.c_size_t),
        ("job_memory", ctypes.c_size_t), ("peak_process_memory", ctypes.c_size_t), ("peak_job_memory", ctypes.c_size_t),
    ]  # fmt: skip


def enter_job() -> bool:
    """This process and all that it will start; the handle is kept open until the end."""
    kernel = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined,unused-ignore]  # Windows
    kernel.CreateJobObjectW.restype = kernel.GetCurrentProcess.restype = ctypes.c_void_p
    job = ctypes.c_void_p(kernel.CreateJobObjectW(None, None))
    limits = _Extended()
    limits.basic.limit_flags = _KILL_ON_CLOSE
    size = ctypes.sizeof(limits)
    is_set = kernel.SetInformationJobObject(job, _LIMIT_INFORMATION, ctypes.byref(limits), size)
    return bool(is_set and kernel.AssignProcessToJobObject(job, ctypes.c_void_p(kernel.GetCurrentProcess())))


def take_lock(path: str) -> bool:
    import msvcrt

    lock = os.open(path, os.O_RDWR | os.O_CREAT)
    for _try in range(_LOCK_TRIES):
        try:
            msvcrt.locking(lock, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]  # Windows
        except OSError:
            time.sleep(0.05)
        else:
            return True
    return False


def write_json(path: str, value: object) -> None:
    with open(f"{path}.tmp", "w", encoding="utf-8") as file:  # noqa: PTH123 - pathlib costs a megabyte
        json.dump(value, file)
    os.replace(f"{path}.tmp", path)  # noqa: PTH105


def segment(folder: str, run: str, lines: int) -> int:
    """The next file of the ring; away with the oldest."""
    names = sorted(name for name in os.listdir(folder) if name.endswith(".log"))  # noqa: PTH208
    for name in names[: max(0, len(names) - _SEGMENTS + 1)]:
        with contextlib.suppress(OSError):
            os.unlink(f"{folder}/{name}")  # noqa: PTH108
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
    return os.open(f"{folder}/{run}.{lines:012d}.log", flags, 0o600)


def copy_lines(printed: "subprocess.Popen[bytes]", folder: str, run: str) -> None:
    """Copies lines until every process that could print has ended."""
    os.makedirs(folder, 0o700, exist_ok=True)  # noqa: PTH103
    lines, size, file = 0, 0, segment(folder, run, 0)
    while printed.stdout is not None and (line := printed.stdout.readline(_LINE_LIMIT)):
        with contextlib.suppress(OSError):  # on a full disk the miner must not wait
            size += os.write(file, line if line.endswith(b"\n") else line + b"\n")
        lines += 1
        if size >= _SEGMENT_BYTES:
            os.close(file)
            size, file = 0, segment(folder, run, lines)
    os.close(file)


def main() -> int:
    folder, start_path = sys.argv[1:]
    if not take_lock(f"{folder}/lock"):
        return ALREADY_RUNS
    if not enter_job():
        sys.stderr.write("no job object could be made\n")
        return 1
    with open(start_path, encoding="utf-8") as file:  # noqa: PTH123
        start = json.load(file)
    script = subprocess.Popen(  # noqa: S603 - what this is for
        start["command"], cwd=start["cwd"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, creationflags=_NO_WINDOW,
    )  # fmt: skip
    write_json(f"{folder}/run.json", {**start, "keeper_pid": os.getpid(), "started_at": time.time()})
    os.unlink(start_path)  # noqa: PTH108
    copy_lines(script, f"{folder}/output", start["run"])
    code = script.wait()
    with contextlib.suppress(OSError):
        write_json(f"{folder}/ended.json", {"run": start["run"], "code": code})
    return 0


if __name__ == "__main__":
    sys.exit(main())
