"""Ports of tests that run at the same time, of which each is a process."""

import socket
import subprocess
import sys

from free_ports import BLOCK, free_port

from tests.farm import ROOT

OTHER = f"from free_ports import free_port; print(*(free_port() for _ in range({BLOCK})))"


def test_two_processes_get_different_ports() -> None:
    own = {free_port() for _ in range(BLOCK)}
    command = [sys.executable, "-c", OTHER]
    done = subprocess.run(command, cwd=ROOT / "devtools", capture_output=True, text=True, timeout=60, check=True)
    others = {int(port) for port in done.stdout.split()}
    assert (len(others), own & others) == (BLOCK, set())


def test_a_port_comes_again_late_and_never_while_it_is_used() -> None:
    port = free_port()
    assert port not in {free_port() for _ in range(BLOCK // 2)}
    with socket.create_server(("127.0.0.1", port)):
        assert port not in {free_port() for _ in range(2 * BLOCK)}
    assert port in {free_port() for _ in range(2 * BLOCK)}
