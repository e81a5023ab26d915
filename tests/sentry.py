"""A real sentry as a process, for tests of the whole system."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
from cpu_gpu_sentry.playbooks.processes import mark_of, marked
from free_ports import free_port

from tests.farm import eventually

CPU_GPU_SENTRY, ASIC_SENTRY = "cpu_gpu_sentry", "asic_sentry"
EVERY = {CPU_GPU_SENTRY: "REPORT_EVERY_S", ASIC_SENTRY: "POLL_EVERY_S"}


def python_module(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", module, *arguments]


@contextmanager
def log_in(address: str) -> Iterator[httpx.Client]:
    """Opens the one-time address of a local page; the client then sends the headers of a browser."""
    page = address[: address.index("/login")]
    with httpx.Client(base_url=page, headers={"Origin": page}, timeout=60) as browser:
        assert browser.get(address.strip()).status_code == 303
        yield browser


@dataclass
class SentryProcess:
    """A sentry with a data directory of its own. It reports every second. `more` is for its environment."""

    folder: Path
    program: str = CPU_GPU_SENTRY
    ui_port: int = field(default_factory=free_port)
    more: dict[str, str] = field(default_factory=dict)
    command: Callable[..., list[str]] = python_module
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def log(self) -> Path:
        return self.folder / "sentry.log"

    @property
    def store(self) -> Path:
        return self.folder / "data" / "sentry.db"

    @property
    def environment(self) -> dict[str, str]:
        prefix = f"{self.program.upper()}_"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(prefix)}
        return inherited | {
            f"{prefix}DATA_DIR": str(self.folder / "data"),
            f"{prefix}UI_PORT": str(self.ui_port),
            f"{prefix}{EVERY[self.program]}": "1",
            **self.more,
        }

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """One of the short commands."""
        command = self.command(self.program, *arguments)
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=120, check=False)

    def enroll(self, url: str, token: str) -> None:
        done = self.run("enroll", "--url", url, "--token", token)
        assert done.returncode == 0, done.stderr

    def browser(self) -> AbstractContextManager[httpx.Client]:
        """A browser that has opened the local page by a one-time address."""
        return log_in(self.run("page").stdout)

    def send(self, form: str, **fields: str) -> httpx.Response:
        """Sends a form of the local page as its owner."""
        with self.browser() as browser:
            return browser.post(f"/{form}", data=fields)

    def status(self) -> dict[str, Any]:
        done = self.run("status", "--json")
        assert done.returncode == 0, done.stderr
        answer: dict[str, Any] = json.loads(done.stdout)
        return answer

    def becomes(self, state: str, within_s: float = 60) -> None:
        eventually(lambda: self.status()["state"] == state, within_s=within_s, what=f"the state {state}")

    def start(self) -> None:
        """Returns when its local page is there."""
        self.folder.mkdir(exist_ok=True)
        with self.log.open("ab") as log:
            before = self.log.stat().st_size
            command = self.command(self.program, "run")
            self.process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
        eventually(lambda: b" running " in self.log.read_bytes()[before:], within_s=120, what="the sentry's start")

    def kill(self) -> None:
        """Ends the sentry by SIGKILL."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(timeout=60)


@contextmanager
def running_sentry(folder: Path, program: str = CPU_GPU_SENTRY, **more: str) -> Iterator[SentryProcess]:
    """Gives a running sentry. At the end it and its playbooks' programs are ended in any case."""
    with running(SentryProcess(folder, program, more=more)) as sentry:
        yield sentry


@contextmanager
def running(sentry: SentryProcess) -> Iterator[SentryProcess]:
    try:
        sentry.start()
        yield sentry
    finally:
        if sentry.process and sentry.process.poll() is None:
            sentry.kill()
        if (sentry.folder / "data" / "playbooks").exists():
            sentry.run("leave", "--yes")
            end_programs_of(sentry)


def end_programs_of(sentry: SentryProcess) -> None:
    """Kills the programs of playbooks that the sentry could not end, such as a miner's own children."""
    for left in marked([f"{mark_of(sentry.folder / 'data')}:"]):
        with suppress(psutil.NoSuchProcess):
            left.kill()
