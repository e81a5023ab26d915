"""A real commander as a process, and its farm, for tests of the whole system."""

import asyncio
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from commander.accounts.actions import AccountActions
from commander.accounts.domain import Role
from commander.audit.actor import COMMAND_LINE, act_as
from commander.db import open_database
from free_ports import free_port

ROOT = Path(__file__).parent.parent
PASSWORD = "correct horse battery staple"
READY_WITHIN_S = 120.0
LONGEST_REST_S = 0.25


def eventually(condition: Callable[[], bool], *, within_s: float, what: str) -> None:
    """Returns as soon as `condition` holds; what another process does can only be looked at repeatedly.

    A look may cost as much as a process. So the longer it takes, the longer is the rest between two looks, in which
    what is awaited has the processor.
    """
    started_s = time.monotonic()
    while not condition():
        waited_s = time.monotonic() - started_s
        assert waited_s < within_s, f"{what} did not happen within {within_s:g} s"
        time.sleep(min(LONGEST_REST_S, max(0.02, waited_s / 10)))


@dataclass
class CommanderProcess:
    """`commander` with a data directory of its own, on a free port.

    `more` are further settings, `python` is that of the environment in which the commander is installed.
    """

    data_dir: Path
    port: int = field(default_factory=free_port)
    more: Mapping[str, str] = field(default_factory=dict)
    python: str = sys.executable
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"{'https' if self.has_tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def has_tls(self) -> bool:
        return self.more.get("COMMANDER_TLS") != "off"

    @property
    def trust(self) -> "ssl.SSLContext | bool":
        """The authority of clients: the commander's own CA alone. With TLS off there is nothing to verify."""
        return ssl.create_default_context(cafile=self.ca) if self.has_tls else True

    @property
    def ca(self) -> Path:
        return self.data_dir / "tls" / "ca.pem"

    @property
    def log(self) -> Path:
        return self.data_dir.parent / "commander.log"

    @property
    def database_url(self) -> str:
        return self.more.get("COMMANDER_DATABASE_URL", f"sqlite:///{self.data_dir / 'commander.db'}")

    @property
    def environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("COMMANDER_")}
        own = {
            "COMMANDER_DATA_DIR": str(self.data_dir),
            "COMMANDER_HOST": "127.0.0.1",
            "COMMANDER_PORT": str(self.port),
            "COMMANDER_PASSWORD": PASSWORD,
        }
        return inherited | own | dict(self.more)

    def run(self, *arguments: str, text_in: str = "") -> "subprocess.CompletedProcess[str]":
        """One of the short commands, such as `api-key list`."""
        return subprocess.run(
            commander_command(*arguments, python=self.python),
            env=self.environment,
            input=text_in,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def start(self) -> None:
        """Returns when it serves."""
        with self.log.open("ab") as log:
            command = commander_command("serve", python=self.python)
            self.process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=log)
        eventually(self._is_ready, within_s=READY_WITHIN_S, what="the commander's start")

    def kill(self) -> None:
        """Ends the commander by SIGKILL."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(timeout=60)

    def stop(self) -> int:
        """SIGTERM; its exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)

    def api_key(self, name: str = "tests") -> str:
        """Makes a key as `api-key create` does, in this process: starting a process for it takes a second of CPU."""
        return asyncio.run(make_key(self.database_url, name))

    def printed_api_key(self, name: str) -> str:
        """Makes a key by the command that people type."""
        done = self.run("api-key", "create", name)
        assert done.returncode == 0, done.stderr
        return done.stdout.split()[-1]

    def client(self, api_key: str = "") -> httpx.Client:
        """Returns a client that trusts the commander's own CA, as all its other clients do."""
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        return httpx.Client(base_url=self.url, verify=self.trust, headers=headers, timeout=60)

    def _is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"the commander ended:\n{self.log.read_text()[-2000:]}"
        if self.has_tls and not self.ca.exists():
            return False
        try:
            with self.client() as client:
                return client.get("/healthz").status_code == 200
        except (httpx.TransportError, ssl.SSLError):
            return False


async def make_key(database_url: str, name: str) -> str:
    act_as(COMMAND_LINE)
    async with open_database(database_url) as database:
        _, key = await AccountActions(database).create_api_key(name, Role.OWN)
    return key


def refusal(commander: CommanderProcess, *options: str) -> str:
    """Returns the one sentence of a commander that does not start."""
    return sentence_of(commander.run("serve", *options))


def sentence_of(done: "subprocess.CompletedProcess[str]") -> str:
    """Returns the one sentence with which a command of the commander has ended."""
    assert done.returncode == 1, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("commander: ")]
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    return lines[0]


def commander_command(*arguments: str, python: str = sys.executable) -> list[str]:
    return [python, "-m", "commander", *arguments]


@contextmanager
def running_commander(folder: Path, **more: str) -> Iterator[CommanderProcess]:
    """A commander that serves from a new data directory in `folder`; it ends with the block."""
    commander = CommanderProcess(folder / "data", more=more)
    try:
        commander.start()
        yield commander
    finally:
        if commander.process and commander.process.poll() is None:
            commander.kill()


@contextmanager
def simulated_farm(commander: CommanderProcess, api_key: str, *options: str) -> Iterator["subprocess.Popen[str]"]:
    """`devtools/simulate_farm.py` beside the commander, steady, with further options."""
    command: Sequence[str] = [
        *(sys.executable, str(ROOT / "devtools" / "simulate_farm.py")),
        *("--commander", commander.url, "--ca", str(commander.ca), "--api-key", api_key),
        *("--steady", *options),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as farm:
        try:
            yield farm
        finally:
            if farm.poll() is None:
                farm.kill()
