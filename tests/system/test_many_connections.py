"""A machine that opens connections and sends nothing: sentries and the health check go on."""

import resource
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.farm import PASSWORD, CommanderProcess, commander_command, eventually

pytestmark = pytest.mark.system
DESCRIPTORS = 256
STRANGERS = [f"127.0.1.{number}" for number in range(1, 201)]


@pytest.fixture
def small(tmp_path: Path) -> Iterator[CommanderProcess]:
    """A commander that may open few files."""
    commander = CommanderProcess(tmp_path / "data")
    _start(commander)
    try:
        yield commander
    finally:
        if commander.process and commander.process.poll() is None:
            commander.kill()


def _start(commander: CommanderProcess) -> None:
    with commander.log.open("ab") as log:
        commander.process = subprocess.Popen(
            commander_command("serve"),
            env=commander.environment,
            stdout=log,
            stderr=log,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS)),
        )
    eventually(commander._is_ready, within_s=60, what="the start")


@contextmanager
def silent(commander: CommanderProcess, hosts: list[str], count: int) -> Iterator[list[socket.socket]]:
    """Connections that never send a byte, in turn from these addresses."""
    with ExitStack() as stack:
        opened = []
        for number in range(count):
            source = (hosts[number % len(hosts)], 0)
            opened.append(
                stack.enter_context(socket.create_connection(("127.0.0.1", commander.port), source_address=source))
            )
        yield opened


@pytest.mark.parametrize("hosts", [["127.0.0.9"], STRANGERS])
def test_silent_connections_keep_neither_a_known_sentry_nor_the_health_check_out(
    small: CommanderProcess, hosts: list[str]
) -> None:
    with small.client(small.api_key()) as people:
        token = people.post("/api/v1/cpu-gpu-rigs", json={"name": "rig-01"}).raise_for_status().json()["token"]
    with small.client(token) as sentry:
        assert sentry.get("/api/v1/sentry").status_code == 200
    with silent(small, hosts, 300):
        for _ in range(20):  # each on a new connection
            with small.client(token) as sentry:
                assert sentry.get("/api/v1/sentry").status_code == 200
                assert sentry.get("/healthz").status_code == 200
    said = [line for line in small.log.read_text().splitlines() if "new connections are refused" in line]
    assert len(said) == 1, said


def test_the_owner_s_address_stays_known_over_a_restart(small: CommanderProcess) -> None:
    with small.client() as browser:
        assert browser.post("/login", data={"password": PASSWORD}).status_code == 303
    small.stop()
    _start(small)
    with silent(small, STRANGERS, 300), small.client() as browser:
        assert browser.post("/login", data={"password": PASSWORD}).status_code == 303


def test_a_connection_that_never_begins_tls_is_given_up(small: CommanderProcess) -> None:
    with silent(small, ["127.0.0.9"], 3) as opened:
        started_s = time.monotonic()
        for connection in opened:
            connection.settimeout(120)
            assert connection.recv(1) == b""
        assert time.monotonic() - started_s < 25


def test_connections_that_end_are_counted_no_more(small: CommanderProcess) -> None:
    for _ in range(3 * DESCRIPTORS):
        with small.client() as stranger:
            try:
                assert stranger.get("/healthz").status_code == 200
            except httpx.TransportError:
                pytest.fail(small.log.read_text()[-1000:])
