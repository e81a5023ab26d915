"""The processes of playbooks: found by the keeper's tree and by a mark in their environment, and ended all together.

The mark finds what lost its keeper; the tree finds what cleared its environment.
"""

import contextlib
import hashlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import psutil

from cpu_gpu_sentry.playbooks import system

MARK = "MINEWARDEN_PLAYBOOK"
_OWN_SETTINGS = "CPU_GPU_SENTRY_"
_TERM_S = 10.0
_KILL_S = 5.0
_KEEPER_S = 2.0  # it ends by itself as soon as nothing is left
_STEP_S = 0.05

Finder = Callable[[], list[psutil.Process]]


def mark_of(data_dir: Path, playbook: str = "", run: str = "") -> str:
    """Returns the mark in the environment of every process of a playbook. It differs between two sentries on one
    machine."""
    sentry = hashlib.sha256(str(data_dir.resolve()).encode()).hexdigest()[:16]
    return ":".join([sentry, *filter(None, (playbook, run))])


def environment_for(mark: str, home: Path, account: str | None = None) -> dict[str, str]:
    """Returns the environment of a script, without the sentry's own settings.

    Miners keep compiled kernels in their home folder. A service without a writable home folder gets one, and so does
    another account than the sentry's.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_OWN_SETTINGS)}
    if account is not None:
        inherited |= {"HOME": str(home), "USER": account, "LOGNAME": account}
    elif not os.access(inherited.get("HOME", ""), os.W_OK):
        inherited["HOME"] = str(home)
    return inherited | {MARK: mark}


def marked(marks: Sequence[str]) -> list[psutil.Process]:
    """Every living process whose mark starts with one of these."""
    prefixes = tuple(marks)
    return [each for each in psutil.process_iter() if _mark(each).startswith(prefixes) and is_alive(each)]


def marks_below(prefix: str) -> set[str]:
    """The marks of all living processes that start so."""
    return {mark for each in marked([prefix]) if (mark := _mark(each))}


def _mark(process: psutil.Process) -> str:
    try:
        return process.environ().get(MARK, "")
    except (psutil.Error, OSError, ValueError):
        return ""


def is_of_a_playbook(process: psutil.Process) -> bool:
    """Returns whether a playbook of any sentry on this machine started the process."""
    return bool(_mark(process))


def has_mark(pid: int, mark: str) -> bool:
    try:
        process = psutil.Process(pid)
    except psutil.Error:
        return False
    return _mark(process) == mark and is_alive(process)


def is_alive(process: psutil.Process) -> bool:
    """Returns whether a process runs. One that has ended but was not waited for does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def below(pid: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.Error):
        return psutil.Process(pid).children(recursive=True)
    return []


def end(marks: Sequence[str], keepers: Mapping[int, str], *, term_s: float = _TERM_S) -> int:
    """Ends everything with these marks and everything below these keepers (by their own marks): first asked to, then
    killed. How many processes outlived even that."""

    def miners() -> list[psutil.Process]:
        return [each for each in _family(marks, keepers) if each.pid not in keepers]

    def all_of_them() -> list[psutil.Process]:
        return _family(marks, keepers)

    _until_gone(miners, system.ask_to_end, term_s)
    _until_gone(miners, system.end_now, _KILL_S)
    _until_gone(all_of_them, lambda _keeper: None, _KEEPER_S)
    return len(_until_gone(all_of_them, system.end_now, _KILL_S))


def _family(marks: Sequence[str], keepers: Mapping[int, str]) -> list[psutil.Process]:
    """Returns the processes that the mark finds and those below them, without those that have ended."""
    family = {each.pid: each for each in marked(marks)}
    for pid, own_mark in keepers.items():
        if has_mark(pid, own_mark):
            family |= {each.pid: each for each in below(pid) if is_alive(each)}
    return list(family.values())


def _until_gone(find: Finder, act: Callable[[psutil.Process], None], within_s: float) -> Sequence[psutil.Process]:
    """Each one found is acted upon once; those that are started meanwhile too. Who is left in the end."""
    deadline = time.monotonic() + within_s
    met: set[psutil.Process] = set()
    for step in _steps():
        left = find()
        for process in left:
            if process not in met:
                met.add(process)
                act(process)
        if not left or time.monotonic() >= deadline:
            return left
        time.sleep(step)
    return []


def _steps() -> Iterator[float]:
    """Looking costs some milliseconds: less often as time goes by."""
    step = _STEP_S
    while True:
        yield step
        step = min(0.5, step * 1.5)
