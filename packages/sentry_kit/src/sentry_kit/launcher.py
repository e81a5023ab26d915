"""Runs a sentry from one of several versions, and goes back to the version before if a new one does not work.

This is one file without dependencies. The installation copies it into the state directory, and systemd starts the copy:

    python3 -I STATE/launcher.py cpu_gpu_sentry run

    STATE/versions/0.2.0/      a virtual environment
    STATE/current              a link to the version that runs: versions/0.2.0
    STATE/update-wanted.json   the sentry asks for an update
    STATE/update-trial.json    the launcher tries a version; it can be ended at any moment, and goes on from this file
    STATE/update-proof.json    a version has reported to its commander
    STATE/update-result.json   the outcome; the sentry reports it

An update in steps:

1. The sentry has made `versions/NEW` and writes `update-wanted.json`.
2. The launcher writes `update-trial.json`, ends the sentry, moves `current`, and starts the new version.
3. The new version writes `update-proof.json` when the commander has confirmed its first report.
4. The launcher writes `update-result.json`, deletes `update-trial.json`, and keeps the new version and the one before.

If the disk can't be written, the old version runs: there is no proof that the new one works. The launcher writes the
outcome when the disk can be written again.

If 3 does not come within three minutes, or the new version ends three times, the launcher writes the reason into
`update-trial.json`, moves `current` back, and starts the old version. The file's `why_back` makes this final.
"""

import contextlib
import json
import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import FrameType
from typing import TypeVar

LAUNCHER = "MINEWARDEN_LAUNCHER"  # names the state directory to the sentry
PROOF_WITHIN = "MINEWARDEN_LAUNCHER_PROOF_S"
CURRENT, VERSIONS = "current", "versions"
INSTALLED = ".installed"  # a version has this file when it is complete
WANTED, TRIAL = "update-wanted.json", "update-trial.json"
PROOF, RESULT = "update-proof.json", "update-result.json"

STARTS = 3
_PROOF_S = 180.0
_LOOK_EVERY_S = 0.5
_STOP_WITHIN_S = 15.0
_BETWEEN_STARTS_S = 2.0
_TAIL_BYTES, _TAIL_LINES, _TAIL_CHARACTERS = 8192, 4, 300
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG (prctl(2))
_LOCK = ".launcher.lock"
_NAME = re.compile(r"[0-9][0-9A-Za-z.+!_-]{0,63}", re.ASCII)
T = TypeVar("T")


@dataclass(frozen=True)
class Wanted:
    """An update that the sentry asks for. `id` is that of the commander's command."""

    id: str
    new: str


@dataclass(frozen=True)
class Trial:
    """A version that is being tried. `starts` counts its starts; `why_back` is set when it has failed."""

    id: str
    old: str
    new: str
    starts: int = 0
    why_back: str = ""


@dataclass(frozen=True)
class Proof:
    """The version that has reported to its commander."""

    version: str


@dataclass(frozen=True)
class Outcome:
    """The outcome of an update. `text` is a sentence for people."""

    id: str
    is_done: bool
    text: str


def write(path: Path, content: Wanted | Trial | Proof | Outcome) -> None:
    """Replaces the file as a whole: after a loss of power the old or the new one is there. Raises `OSError`."""
    new = path.with_name(f".{path.name}.new")
    with os.fdopen(os.open(new, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as file:
        file.write(json.dumps(asdict(content)).encode())
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    _sync(path.parent)


def read_wanted(state: Path) -> Wanted | None:
    return _read(state / WANTED, lambda it: Wanted(str(it["id"]), str(it["new"])))


def read_trial(state: Path) -> Trial | None:
    return _read(
        state / TRIAL,
        lambda it: Trial(str(it["id"]), str(it["old"]), str(it["new"]), int(str(it["starts"])), str(it["why_back"])),
    )


def read_proof(state: Path) -> Proof | None:
    return _read(state / PROOF, lambda it: Proof(str(it["version"])))


def read_outcome(state: Path) -> Outcome | None:
    return _read(state / RESULT, lambda it: Outcome(str(it["id"]), it["is_done"] is True, str(it["text"])))


def _read(path: Path, make: Callable[[dict[str, object]], T]) -> T | None:
    """Returns None if the file is missing or damaged."""
    try:
        return make(json.loads(path.read_bytes()))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _sync(folder: Path) -> None:
    """Makes a rename permanent."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def python_of(state: Path, version: str) -> Path:
    return state / VERSIONS / version / "bin" / "python"


def is_runnable(state: Path, version: str) -> bool:
    return _NAME.fullmatch(version) is not None and os.access(python_of(state, version), os.X_OK)


def is_complete(state: Path, version: str) -> bool:
    return is_runnable(state, version) and (state / VERSIONS / version / INSTALLED).exists()


def version_to_run(state: Path) -> str | None:
    """Returns the version that `current` names. If that can't run, the newest complete one takes its place."""
    with contextlib.suppress(OSError):
        if is_runnable(state, name := (state / CURRENT).readlink().name):
            return name
    names = [each.name for each in (state / VERSIONS).glob("*") if is_complete(state, each.name)]
    newest = max(names, key=lambda name: (state / VERSIONS / name).stat().st_mtime, default=None)
    if newest is not None:
        with contextlib.suppress(OSError):  # on a disk that can't be written it runs without the link
            switch(state, newest)
    return newest


def switch(state: Path, version: str) -> None:
    """Moves `current`, so that there is one at every moment."""
    new = state / f".{CURRENT}.new"
    new.unlink(missing_ok=True)
    new.symlink_to(Path(VERSIONS) / version)
    new.replace(state / CURRENT)
    _sync(state)


def settle(state: Path) -> Trial | None:
    """Begins, continues or ends an update while no sentry runs. Returns the trial that goes on."""
    trial, wanted = read_trial(state), read_wanted(state)
    if trial is None and wanted is not None:
        trial = _begin(state, wanted)
    if (state / WANTED).exists():  # on a disk that can only be read, not even a missing file can be deleted
        (state / WANTED).unlink()
    if trial is None:
        return None
    if not trial.why_back and is_proven(state, trial):
        finish(state, trial)
        return None
    if not trial.why_back and trial.starts >= STARTS:
        trial = give_up(state, trial, f"was started {trial.starts} times and did not report")
    if trial.why_back:
        _go_back(state, trial)
        return None
    switch(state, trial.new)
    return trial


def _begin(state: Path, wanted: Wanted) -> Trial | None:
    old = version_to_run(state)
    if old is None or old == wanted.new or not is_complete(state, wanted.new):
        text = f"Version {wanted.new} could not be started, because it is not installed completely."
        write(state / RESULT, Outcome(wanted.id, False, text))
        return None
    (state / PROOF).unlink(missing_ok=True)  # it may be of an earlier run of the same version
    trial = Trial(wanted.id, old, wanted.new)
    write(state / TRIAL, trial)
    return trial


def is_proven(state: Path, trial: Trial) -> bool:
    return read_proof(state) == Proof(trial.new)


def finish(state: Path, trial: Trial) -> None:
    """The new version works: it stays, with the one before."""
    write(state / RESULT, Outcome(trial.id, True, f"Version {trial.new} runs and has reported to the commander."))
    (state / TRIAL).unlink(missing_ok=True)
    for each in (state / VERSIONS).iterdir():
        if each.name not in (trial.old, trial.new):
            shutil.rmtree(each, ignore_errors=True)


def give_up(state: Path, trial: Trial, why: str) -> Trial:
    """Decides that the old version is to run again. This is final, also if the launcher is ended now."""
    trial = replace(trial, why_back=why)
    write(state / TRIAL, trial)
    return trial


def _go_back(state: Path, trial: Trial) -> None:
    if is_runnable(state, trial.old):
        switch(state, trial.old)
    text = f"The new version {trial.new} {trial.why_back}".rstrip(".")
    write(state / RESULT, Outcome(trial.id, False, f"{text}. Version {trial.old} runs again."))
    (state / TRIAL).unlink(missing_ok=True)


class Child:
    """A running sentry, with the end of what it has printed."""

    def __init__(self, state: Path, version: str, arguments: Sequence[str]) -> None:
        self.printed, self.has_closed = b"", False
        self._kill_at_s: float | None = None
        self._process = subprocess.Popen(  # noqa: S603 - a version of the sentry
            [str(python_of(state, version)), "-I", "-m", *arguments], env=os.environ | {LAUNCHER: str(state)},
            stderr=subprocess.PIPE, preexec_fn=_bound_to(os.getpid()),
        )  # fmt: skip
        assert self._process.stderr is not None  # noqa: S101 - it is a pipe
        self.pipe = self._process.stderr
        os.set_blocking(self.pipe.fileno(), False)

    def copy_printed(self) -> bool:
        """Copies what the sentry has printed to the launcher's own standard error. False: there is no more now."""
        try:
            data = os.read(self.pipe.fileno(), 65536)
        except BlockingIOError:
            return False
        self.has_closed = not data
        self.printed = (self.printed + data)[-_TAIL_BYTES:]
        with contextlib.suppress(OSError):  # it goes nowhere
            os.write(sys.stderr.fileno(), data)
        return bool(data)

    def exit_code(self) -> int | None:
        """Returns None while it runs."""
        code = self._process.poll()
        while code is not None and self.copy_printed():
            pass
        return code

    def pass_on(self, number: int) -> None:
        self._process.send_signal(number)

    def end(self) -> None:
        """Asks it to end; called again, it kills a sentry that has not ended in time."""
        if self._kill_at_s is None:
            self._kill_at_s = time.monotonic() + _STOP_WITHIN_S
            self._process.terminate()
        elif time.monotonic() >= self._kill_at_s:
            self._process.kill()

    def last_lines(self) -> str:
        lines = [each.strip() for each in self.printed.decode("utf-8", "replace").splitlines() if each.strip()]
        text = " / ".join(lines[-_TAIL_LINES:])[-_TAIL_CHARACTERS:]
        return f"; its last lines: {text}" if text else ""


def _bound_to(parent: int) -> Callable[[], None]:
    """Returns a function for the child: it dies with the launcher, so that there are never two sentries."""
    try:
        import ctypes

        prctl = ctypes.CDLL(None).prctl
    except (ImportError, OSError, AttributeError):  # not Linux, or a Python without it
        return lambda: None

    def bind() -> None:
        prctl(_DIE_WITH_PARENT, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return bind


class Launcher:
    """Runs one sentry at a time. It passes signals on, and ends as the sentry does."""

    def __init__(self, state: Path, arguments: Sequence[str], *, proof_within_s: float) -> None:
        self._state, self._arguments, self._proof_within_s = state, arguments, proof_within_s
        self._is_stopping = self._is_stuck = False
        self._given_up: Trial | None = None  # decided, and not written yet
        self._child: Child | None = None
        self._trial: Trial | None = None
        self._deadline_s = 0.0  # of the trial; 0: it has not begun
        self._selector = selectors.DefaultSelector()
        self._wakes, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._selector.register(self._wakes, selectors.EVENT_READ)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)  # only wakes
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._pass_on)

    def run(self) -> int:
        """Returns the exit code."""
        while not self._is_stopping:
            self._trial = self._settled()
            version = self._trial.new if self._trial else self._version_without_trial()
            if version is None:
                _say(f"No version in {self._state / VERSIONS} can run; run the line of the installation again.")
                return 1
            child = Child(self._state, version, self._arguments)
            code = self._follow(child)
            if self._trial is not None and not self._is_stopping:
                self._after_failure(self._trial, child, code)
            elif self._is_stuck or not (self._state / WANTED).exists():
                return code if code >= 0 else 128 - code
        return 0

    def _settled(self) -> Trial | None:
        """Returns the trial, with this start counted. None on a disk that can't be written."""
        self._is_stuck = False
        try:
            if self._given_up is not None:
                write(self._state / TRIAL, self._given_up)
                self._given_up = None
            trial = settle(self._state)
            if trial is not None:
                trial = replace(trial, starts=trial.starts + 1)
                write(self._state / TRIAL, trial)
        except OSError as error:
            _say(f"The state directory can't be written ({error}); an update waits for that.")
            self._is_stuck, trial = True, None
        if trial is None:
            self._deadline_s = 0.0
        elif not self._deadline_s:
            self._deadline_s = time.monotonic() + self._proof_within_s
        return trial

    def _version_without_trial(self) -> str | None:
        trial = read_trial(self._state) if self._is_stuck else None
        if trial is not None and not is_proven(self._state, trial) and is_runnable(self._state, trial.old):
            return trial.old
        return version_to_run(self._state)

    def _give_up(self, trial: Trial, why: str) -> Trial:
        try:
            return give_up(self._state, trial, why)
        except OSError as error:
            _say(f"The state directory can't be written ({error}); the old version runs all the same.")
            self._given_up = replace(trial, why_back=why)
            return self._given_up

    def _follow(self, child: Child) -> int:
        """Returns the exit code of the sentry when it has ended."""
        self._child = child
        self._selector.register(child.pipe, selectors.EVENT_READ)
        if self._is_stopping:  # the signal came while there was no child to pass it on to
            child.end()
        while (code := child.exit_code()) is None:
            self._wait(_LOOK_EVERY_S)
            if not self._is_stopping and self._must_end(child):
                child.end()
        self._child = None
        self._leave_pipe(child)
        child.pipe.close()
        return code

    def _leave_pipe(self, child: Child) -> None:
        with contextlib.suppress(KeyError):
            self._selector.unregister(child.pipe)

    def _must_end(self, child: Child) -> bool:
        """Returns whether the sentry has to make room for another version."""
        if self._trial is None:
            return not self._is_stuck and (self._state / WANTED).exists()
        if self._trial.why_back:
            return True
        if is_proven(self._state, self._trial):
            with contextlib.suppress(OSError):  # the disk can't be written: tried again, and it runs on meanwhile
                finish(self._state, self._trial)
                self._trial = None
        elif time.monotonic() >= self._deadline_s:
            why = f"did not report to the commander within {_duration(self._proof_within_s)}{child.last_lines()}"
            self._trial = self._give_up(self._trial, why)
        return self._trial is not None and bool(self._trial.why_back)

    def _after_failure(self, trial: Trial, child: Child, code: int) -> None:
        if trial.why_back:
            return
        if trial.starts >= STARTS:
            why = f"ended {trial.starts} times at its start, {_ending(code)}{child.last_lines()}"
            self._give_up(trial, why)
            return
        until_s = time.monotonic() + _BETWEEN_STARTS_S
        while not self._is_stopping and time.monotonic() < until_s:
            self._wait(until_s - time.monotonic())

    def _wait(self, at_most_s: float) -> None:
        """Waits for a signal, for the end of the sentry, or for something that it prints."""
        for key, _ in self._selector.select(max(0.0, at_most_s)):
            if key.fd == self._wakes:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wakes, 4096)
            elif self._child is not None:
                self._child.copy_printed()
                if self._child.has_closed:
                    self._leave_pipe(self._child)

    def _pass_on(self, number: int, _frame: FrameType | None) -> None:
        self._is_stopping = True
        if self._child is not None:
            self._child.pass_on(number)


def _ending(code: int) -> str:
    return f"with exit code {code}" if code >= 0 else f"by signal {-code}"


def _duration(seconds: float) -> str:
    return f"{seconds / 60:g} minutes" if seconds >= 60 else f"{seconds:g} s"


def _say(text: str) -> None:
    with contextlib.suppress(OSError):
        sys.stderr.write(f"launcher: {text}\n")


def proof_within_s(environ: Mapping[str, str]) -> float:
    """Returns the time limit for the proof. Raises `ValueError`."""
    seconds = float(environ.get(PROOF_WITHIN, _PROOF_S))
    if not 1 <= seconds <= 3600:
        raise ValueError(seconds)
    return seconds


def is_alone(state: Path) -> bool:
    """Locks the state directory until this process ends. On a disk that can't be written there are no updates."""
    import fcntl  # the sentry imports this file on Windows, too, which has none

    try:
        lock = os.open(state / _LOCK, os.O_CREAT | os.O_RDWR, 0o600)
    except OSError:
        return True
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def main() -> int:
    if len(sys.argv) < 2:
        _say("name the program to run: python3 -I launcher.py cpu_gpu_sentry run")
        return 2
    try:
        within_s = proof_within_s(os.environ)
    except ValueError:
        _say(f"{PROOF_WITHIN} is “{os.environ.get(PROOF_WITHIN)}”; expected a number of seconds from 1 to 3600.")
        return 2
    state = Path(__file__).resolve().parent
    if not is_alone(state):
        _say(f"a launcher of {state} runs already; for other commands use {state / CURRENT}/bin.")
        return 1
    return Launcher(state, sys.argv[1:], proof_within_s=within_s).run()


if __name__ == "__main__":
    sys.exit(main())
