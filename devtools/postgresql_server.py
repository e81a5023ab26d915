"""A real PostgreSQL for tests, benchmarks and demos: in a temporary folder, on a free port, gone afterwards."""

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from free_ports import free_port

ROLE = "minewarden"
READY_WITHIN_S = 60
PR_SET_PDEATHSIG = 1
USER = "postgres" if os.geteuid() == 0 else None  # it refuses to run as root: then it is Debian's user for it
# What makes a server of tests quick and costs nothing but safety against power cuts.
HASTY = {"fsync": "off", "full_page_writes": "off", "shared_buffers": "64MB", "max_connections": "60"}
SMALL_WAL = {"min_wal_size": "32MB", "max_wal_size": "128MB"}
MEMORY, ROOM_BYTES = Path("/dev/shm"), 2 << 30  # noqa: S108 - the server makes a folder of its own there


@dataclass
class PostgresqlServer:
    """`settings` are lines of postgresql.conf. The role `minewarden` may do everything."""

    folder: Path
    port: int
    settings: dict[str, str] = field(default_factory=dict)
    process: "subprocess.Popen[bytes] | None" = None

    def url(self, database: str = "postgres", password: str = "secret") -> str:  # noqa: S107 - of a server of tests
        return f"postgresql://{ROLE}:{password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Returns when it answers."""
        options = [text for name, value in self.settings.items() for text in ("-c", f"{name}={value}")]
        with (self.folder / "server.log").open("ab") as log:
            command = [program("postgres"), "-D", str(self.folder / "data"), "-k", str(self.folder)]
            command += ["-p", str(self.port), "-h", "127.0.0.1", *options]
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, user=USER, group=USER, preexec_fn=_end_with_parent
            )
        deadline = time.monotonic() + READY_WITHIN_S
        while not self._answers():
            log_text = (self.folder / "server.log").read_text(errors="replace")[-2000:]
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start:\n{log_text}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Ends it immediately, as a power cut would: it recovers at the next start."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(timeout=30)

    def run(self, name: str, *arguments: str) -> str:
        """One of PostgreSQL's own programs, such as `createdb`; what it printed."""
        where = ["-h", "127.0.0.1", "-p", str(self.port), "-U", ROLE]
        environment = os.environ | {"PGPASSWORD": "secret"}
        command = [program(name), *where, *arguments]
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=60).stdout

    def _answers(self) -> bool:
        status = self.folder / "data" / "postmaster.pid"
        try:
            return status.read_text().splitlines()[7].strip() == "ready"
        except (OSError, IndexError):
            return False


def is_installed() -> bool:
    return bool(_folders())


def program(name: str) -> str:
    """The newest of what Debian installed, which is not in the PATH; elsewhere what is."""
    for folder in _folders():
        if (folder / name).exists():
            return str(folder / name)
    return name


def _folders() -> list[Path]:
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: -int(path.parent.name))
    found = shutil.which("postgres")
    return debian or ([Path(found).parent] if found else [])


@contextmanager
def running_server(parent: Path | None = None, /, **settings: str) -> Iterator[PostgresqlServer]:
    """A new server; it ends with the block. `settings` are those of `HASTY` unless given.

    Its folder is made in `parent`; None is the usual place for temporary files.
    """
    folder = Path(tempfile.mkdtemp(prefix="minewarden-postgresql-", dir=parent))  # a socket's path has 107 letters
    server = PostgresqlServer(folder, free_port(), HASTY | settings)
    try:
        _prepare(folder)
        server.start()
        yield server
    finally:
        server.stop()
        with suppress(OSError):
            shutil.rmtree(folder)


def memory() -> Path | None:
    """Returns Linux's folder in memory if it has room: in a container it often has 64 MB only.

    A database has a thousand files, which are copied there in a third of the time.
    """
    has_room = os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM_BYTES
    return MEMORY if has_room else None


def _prepare(folder: Path) -> None:
    password = folder / "password"
    password.write_text("secret\n")
    if os.geteuid() == 0:
        owner = pwd.getpwnam("postgres")
        for path in (folder, password):
            os.chown(path, owner.pw_uid, owner.pw_gid)
    command = [
        program("initdb"),
        "-D",
        str(folder / "data"),
        "-U",
        ROLE,
        "--auth=scram-sha-256",
        f"--pwfile={password}",
    ]
    command += ["--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, user=USER, group=USER)
    if done.returncode:
        raise RuntimeError(f"initdb failed: {done.stderr}")


def _end_with_parent() -> None:
    """A test run that is killed must not leave servers behind; only Linux can see to that."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)
