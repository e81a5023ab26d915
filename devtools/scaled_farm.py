"""The scaled-out form on this machine: web nodes and workers as processes, on a NATS and a PostgreSQL of their own."""

import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from free_ports import free_port
from nats_server import NatsServer, running_nats
from postgresql_server import PostgresqlServer, running_server

READY_WITHIN_S = 60
PASSWORD = "correct horse battery staple"  # noqa: S105 - of a farm that does not exist


class CannotStart(Exception):
    """A part ended, or did not become ready; the text holds the end of its log."""


@dataclass
class Part:
    """One `commander` process. `environment` holds its settings, `log` is the file of its output."""

    arguments: list[str]
    environment: Mapping[str, str]
    log: Path
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> None:
        """Returns when it is ready."""
        self.launch()
        self.await_ready()

    def launch(self) -> None:
        own = {name: value for name, value in os.environ.items() if not name.startswith("COMMANDER_")}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "commander", *self.arguments],
                env=own | dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for whoever started it, who then ends it
            )

    def await_ready(self) -> None:
        deadline = time.monotonic() + READY_WITHIN_S
        while not self.is_ready():
            if self.has_ended() or time.monotonic() > deadline:
                said = self.log.read_text(errors="replace")[-2000:]
                raise CannotStart(f"{' '.join(self.arguments)} is not ready:\n{said}")
            time.sleep(0.05)

    def is_ready(self) -> bool:
        raise NotImplementedError

    def has_ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def kill(self) -> None:
        """Ends it by SIGKILL."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(timeout=10)

    def stop(self) -> int:
        """SIGTERM; its exit status."""
        assert self.process is not None  # noqa: S101 - it was started
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)


@dataclass
class WebNode(Part):
    port: int = 0
    ca: Path = Path()

    @property
    def url(self) -> str:
        return f"{'https' if self.has_tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def has_tls(self) -> bool:
        return self.environment.get("COMMANDER_TLS") != "off"

    def client(self, api_key: str = "") -> httpx.Client:
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        trust = ssl.create_default_context(cafile=self.ca) if self.has_tls else True
        return httpx.Client(base_url=self.url, verify=trust, headers=headers, timeout=20, trust_env=False)

    def is_ready(self) -> bool:
        if self.has_tls and not self.ca.exists():
            return False
        try:
            with self.client() as client:
                return client.get("/healthz").status_code == 200
        except (httpx.TransportError, ssl.SSLError):
            return False


@dataclass
class Worker(Part):
    figures_port: int = 0

    def figures(self) -> dict[str, float]:
        """Its `/metrics`. Raises `httpx.TransportError`."""
        text = httpx.get(f"http://127.0.0.1:{self.figures_port}/metrics", timeout=5, trust_env=False).text
        pairs = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
        return {name: float(value) for name, value in pairs}

    def is_ready(self) -> bool:
        try:
            return self.figures()["minewarden_queue_connected"] == 1
        except httpx.TransportError:
            return False


@dataclass
class ScaledFarm:
    """`web` and `workers` are not started yet."""

    folder: Path
    postgresql: PostgresqlServer
    nats: NatsServer
    settings: Mapping[str, str]
    web: list[WebNode] = field(default_factory=list)
    workers: list[Worker] = field(default_factory=list)

    @property
    def ca(self) -> Path:
        return self.folder / "ca" / "ca.pem"

    def add_web_node(self) -> WebNode:
        name, port = f"web-{len(self.web) + 1}", free_port()
        more = {"COMMANDER_PORT": str(port), "COMMANDER_INGEST_HERE": "false"}
        environment = {**self._environment(name), **more}
        self.web.append(WebNode(["serve"], environment, self.folder / f"{name}.log", port=port, ca=self.ca))
        return self.web[-1]

    def add_worker(self) -> Worker:
        name, port = f"worker-{len(self.workers) + 1}", free_port()
        environment = {**self._environment(name), "COMMANDER_INGEST_METRICS": f"127.0.0.1:{port}"}
        self.workers.append(Worker(["ingest"], environment, self.folder / f"{name}.log", figures_port=port))
        return self.workers[-1]

    def api_key(self, name: str = "scaled") -> str:
        """A new key for scripts."""
        done = subprocess.run(
            [sys.executable, "-m", "commander", "api-key", "create", name, "--role", "own"],
            env=os.environ | dict(self.web[0].environment),
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        return done.stdout.split()[-1]

    def _environment(self, name: str) -> dict[str, str]:
        return {
            "COMMANDER_DATA_DIR": str(self.folder / name),
            "COMMANDER_HOST": "127.0.0.1",
            "COMMANDER_PASSWORD": PASSWORD,
            "COMMANDER_DATABASE_URL": self.postgresql.url(),
            "COMMANDER_NATS_URL": self.nats.url,
            "COMMANDER_CA_DIR": str(self.folder / "ca"),
            **self.settings,
        }


@contextmanager
def scaled_farm(
    folder: Path, *, web: int = 2, workers: int = 2, hasty: bool = True, **settings: str
) -> Iterator[ScaledFarm]:
    """A farm that runs; all of it ends with the block. `hasty`: a PostgreSQL that does not wait for its disk."""
    more = {} if hasty else {"fsync": "on", "full_page_writes": "on"}
    with ExitStack() as stack:
        postgresql = stack.enter_context(running_server(**more))
        nats = stack.enter_context(running_nats())
        farm = ScaledFarm(folder, postgresql, nats, settings)
        parts: list[Part] = [farm.add_web_node() for _ in range(web)]
        parts += [farm.add_worker() for _ in range(workers)]
        for part in parts:
            stack.callback(part.kill)
            part.launch()
        for part in parts:
            part.await_ready()
        yield farm
