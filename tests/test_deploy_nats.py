"""deploy/nats.conf with the environment that compose.yaml gives it, on a real NATS."""

import json
import os
import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]  # its types are not among the development tools
from free_ports import free_port

from tests.farm import ROOT, eventually

DEPLOY = ROOT / "deploy"
OLDER = "v2.9."  # Debian 12's, which does not know `sync_interval`: the file says to leave it out

pytestmark = pytest.mark.servers


def config(folder: Path, port: int) -> Path:
    """The file for this machine: another port, another folder."""
    version = subprocess.run(["nats-server", "--version"], capture_output=True, text=True, check=True).stdout
    text = (DEPLOY / "nats.conf").read_text(encoding="utf-8")
    text = text.replace("0.0.0.0:4222", f"127.0.0.1:{port}").replace("store_dir: /data", f'store_dir: "{folder}"')
    text = re.sub(r"^http: .*$", "", text, flags=re.MULTILINE)
    path = folder / "nats.conf"
    path.write_text(text.replace("sync_interval: always", "") if OLDER in version else text, encoding="utf-8")
    return path


def environment(**variables: str) -> dict[str, str]:
    """The queue's of compose.yaml, with `${NAME}` filled in as a container engine does."""
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    own = compose["services"]["queue"]["environment"]
    return {name: re.sub(r"\$\{(\w+)\}", lambda found: variables[found[1]], value) for name, value in own.items()}


@contextmanager
def queue(folder: Path, password: str) -> Iterator[int]:
    """Gives the port of a server. One that ends at once fails the test with its output."""
    port, log = free_port(), folder / "nats.log"
    command = ["nats-server", "--config", str(config(folder, port))]
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, env=os.environ | environment(NATS_PASSWORD=password), stdout=out, stderr=out
        )
    try:
        eventually(lambda: process.poll() is not None or answers(port), within_s=60, what="the start of NATS")
        assert process.poll() is None, log.read_text()
        yield port
    finally:
        process.kill()
        process.wait(timeout=60)


def answers(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as probe:
        return probe.recv(5) == b"INFO "
    return False


def is_let_in(port: int, password: str) -> bool:
    """Returns whether NATS answers a PING after this login, and not an error."""
    login = json.dumps({"verbose": False, "user": "minewarden", "pass": password})
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client, client.makefile("rb") as said:
        assert said.readline().startswith(b"INFO ")
        client.sendall(f"CONNECT {login}\r\nPING\r\n".encode())
        return said.readline() == b"PONG\r\n"


@pytest.mark.parametrize(
    "password", ["0123456789", "20261128", "12e5", "5k", "true", "a3f0c1d2e4b5968778695a4b3c2d1e0f"]
)
def test_the_queue_takes_a_password_of_digits_and_refuses_others(password: str, tmp_path: Path) -> None:
    with queue(tmp_path, password) as port:
        assert is_let_in(port, password)
        assert not is_let_in(port, f"{password}0")
