"""Ports for miners' APIs, on 127.0.0.1."""

import socket
import sys


def free_port() -> int:
    """Returns a port that no process uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Returns whether a process can listen on the port. A connection that has ended keeps it for a minute, which does
    no harm."""
    with socket.socket() as probe:
        if sys.platform != "win32":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
