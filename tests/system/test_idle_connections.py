"""Connections on which nothing comes any more are closed after their limits."""

import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from commander import serve
from websockets.sync.client import connect

from tests.farm import CommanderProcess, eventually

pytestmark = pytest.mark.system
KEEP_ALIVE_S, PING_EVERY_S, PONG_WITHIN_S = 8, 2, 10  # other than those of uvicorn
PATIENT: dict[str, Any] = {"ping_interval": None, "proxy": None, "open_timeout": 60}  # keywords of the client
UPGRADE = (
    b"GET /api/v1/events?channels= HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)
# The program itself, with limits for which a test can wait.
HASTY = (
    f"import commander.serve as serve; serve.KEEP_ALIVE_S = {KEEP_ALIVE_S}; "
    f"serve.PING_EVERY_S, serve.PONG_WITHIN_S = {PING_EVERY_S}, {PONG_WITHIN_S}; "
    "from commander.__main__ import main; main()"
)


@pytest.fixture
def hasty(tmp_path: Path) -> Iterator[CommanderProcess]:
    commander = CommanderProcess(tmp_path / "data")
    with commander.log.open("ab") as log:
        command = [sys.executable, "-c", HASTY, "serve"]
        commander.process = subprocess.Popen(command, env=commander.environment, stdout=log, stderr=log)
    eventually(commander._is_ready, within_s=60, what="the start")
    yield commander
    commander.kill()


def test_the_limits_leave_room_for_sentries_and_end() -> None:
    assert 60 <= serve.KEEP_ALIVE_S <= 120
    assert serve.PING_EVERY_S + serve.PONG_WITHIN_S <= 60


def test_a_connection_that_was_used_and_is_idle_is_closed(hasty: CommanderProcess) -> None:
    with hasty.client() as client, client.stream("GET", "/healthz") as answer:
        connection = answer.extensions["network_stream"].get_extra_info("socket")
        answer.read()
        begin_s = time.monotonic()
        connection.settimeout(30)
        assert connection.recv(1) == b"", "its end"
        assert time.monotonic() - begin_s > KEEP_ALIVE_S - 1


def test_a_websocket_without_a_pong_is_closed_and_one_with_pongs_is_not(hasty: CommanderProcess) -> None:
    key = f"Bearer {hasty.api_key()}"
    trust = ssl.create_default_context(cafile=hasty.ca)
    address = f"wss://127.0.0.1:{hasty.port}/api/v1/events?channels="
    with (
        connect(address, ssl=trust, additional_headers={"Authorization": key}, **PATIENT) as page,
        socket.create_connection(("127.0.0.1", hasty.port), timeout=60) as plain,
        trust.wrap_socket(plain, server_hostname="127.0.0.1") as gone,
    ):
        gone.sendall(UPGRADE + f"Authorization: {key}\r\n\r\n".encode())
        received = gone.recv(65_536)
        assert received.startswith(b"HTTP/1.1 101 ")
        gone.settimeout(60)
        while part := gone.recv(65_536):
            received += part
        assert page.ping().wait(60), "the older one still answers"
