"""A real NATS with JetStream for tests, benchmarks and demos: a temporary folder, a free port, gone afterwards."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from free_ports import free_port

READY_WITHIN_S = 30
CONFIG = """\
host: 127.0.0.1
port: {port}
jetstream {{ store_dir: "{folder}", max_file_store: {max_file_bytes} }}
"""


@dataclass
class NatsServer:
    folder: Path
    port: int
    max_file_bytes: int
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def start(self, more: str = "") -> None:
        """Starts the server and returns when it accepts connections. `more` is added to its configuration."""
        config = self.folder / "nats.conf"
        settings = CONFIG.format(port=self.port, folder=self.folder, max_file_bytes=self.max_file_bytes)
        config.write_text(settings + more)
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(["nats-server", "-c", str(config)], stdout=log, stderr=log)  # noqa: S607
        deadline = time.monotonic() + READY_WITHIN_S
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                said = (self.folder / "server.log").read_text(errors="replace")[-2000:]
                raise RuntimeError(f"NATS did not start:\n{said}")
            time.sleep(0.02)

    def kill(self) -> None:
        """Ends the server by SIGKILL."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait(timeout=10)

    def stop(self) -> None:
        """SIGTERM: everything is written to the disk first."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=10)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as probe:
                return probe.recv(5) == b"INFO "
        except OSError:
            return False


def is_installed() -> bool:
    return shutil.which("nats-server") is not None


@contextmanager
def running_nats(*, max_file_bytes: int = 8 * 1024**3) -> Iterator[NatsServer]:
    """A new server; it ends with the block."""
    folder = Path(tempfile.mkdtemp(prefix="minewarden-nats-"))
    server = NatsServer(folder, free_port(), max_file_bytes)
    try:
        server.start()
        yield server
    finally:
        server.kill()
        with suppress(OSError):
            shutil.rmtree(folder)
