"""A real ASIC sentry as a process, before fake ASICs, for tests of the whole system."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from free_ports import free_port

from tests.farm import ROOT, eventually
from tests.sentry import log_in

PORT_BASE = 20_000


@dataclass
class AsicSentryProcess:
    """`asic-sentry` with a data directory of its own. It polls every second."""

    folder: Path
    ui_port: int = field(default_factory=free_port)
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def log(self) -> Path:
        return self.folder / "sentry.log"

    @property
    def store(self) -> Path:
        return self.folder / "data" / "sentry.db"

    @property
    def page(self) -> str:
        return f"http://127.0.0.1:{self.ui_port}/"

    @property
    def environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("ASIC_SENTRY_")}
        return inherited | {
            "ASIC_SENTRY_DATA_DIR": str(self.folder / "data"),
            "ASIC_SENTRY_UI_PORT": str(self.ui_port),
            "ASIC_SENTRY_POLL_EVERY_S": "1",
        }

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """One of the short commands."""
        command = [sys.executable, "-m", "asic_sentry", *arguments]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=120, check=False)

    def browser(self) -> AbstractContextManager[httpx.Client]:
        """A browser that has opened the local page by a one-time address."""
        return log_in(self.must("page"))

    def must(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def list(self) -> "dict[str, dict[str, Any]]":
        """Its ASICs by address."""
        return {asic["ip"]: asic for asic in json.loads(self.must("list", "--json"))}

    def becomes(self, ip: str, state: str, within_s: float = 60) -> None:
        eventually(lambda: self.list().get(ip, {}).get("state") == state, within_s=within_s, what=f"{ip} {state}")

    def start(self) -> None:
        """Returns when its local page is there."""
        self.folder.mkdir(exist_ok=True)
        with self.log.open("ab") as log:
            before = self.log.stat().st_size
            command = [sys.executable, "-m", "asic_sentry", "run"]
            self.process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
        eventually(lambda: b" running " in self.log.read_bytes()[before:], within_s=120, what="the sentry's start")

    def kill(self) -> None:
        """SIGKILL: no goodbye."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(timeout=60)

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)


@contextmanager
def running_asic_sentry(folder: Path) -> Iterator[AsicSentryProcess]:
    """A sentry that runs; ended at the end, whatever happened to it."""
    sentry = AsicSentryProcess(folder)
    try:
        sentry.start()
        yield sentry
    finally:
        if sentry.process and sentry.process.poll() is None:
            sentry.kill()


@contextmanager
def fake_asics(network: str, count: int, *options: str) -> Iterator["subprocess.Popen[str]"]:
    """`devtools/fake_asics.py` as a process, at ports that need no root. Its last line counts what it was asked."""
    command = [sys.executable, str(ROOT / "devtools" / "fake_asics.py"), "--count", str(count), "--network", network]
    command += ["--port-base", str(PORT_BASE), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as fakes:
        assert fakes.stdout is not None
        assert "fake ASICs on" in fakes.stdout.readline()
        try:
            yield fakes
        finally:
            if fakes.poll() is None:
                fakes.terminate()
                fakes.communicate(timeout=60)


def violations(fakes: "subprocess.Popen[str]") -> dict[str, int]:
    """Ends them; what they were sent that does not only read."""
    fakes.terminate()
    assert fakes.stdout is not None
    said: dict[str, dict[str, int]] = json.loads(fakes.stdout.read().splitlines()[-1])
    return said["violations"]
