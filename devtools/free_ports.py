"""Free ports for the servers of tests, benchmarks and demos.

A server binds its port seconds after it was chosen, and leaves it for seconds when it is killed and started again. So
each process chooses among ports of its own, and below those that the system gives to any program.
"""

import random
import socket
import sys
from collections.abc import Iterator
from functools import cache
from itertools import cycle

PORTS, BLOCK = range(25_000, 32_000), 100
_claims: list[socket.socket] = []  # as long as the process lives


def free_port() -> int:
    """Returns a port of 127.0.0.1 that is not in use and that no other process gets. It comes again a hundred calls
    later, if it is not in use then."""
    return next(port for port in _own_ports() if _is_free(port))


@cache
def _own_ports() -> Iterator[int]:
    blocks = range(PORTS.start, PORTS.stop, BLOCK)
    own = next(first for first in random.sample(blocks, len(blocks)) if _is_claimed(first))
    return cycle(range(own, own + BLOCK))


def _is_claimed(block: int) -> bool:
    """Returns whether this process has it from now on. Linux frees the name of such a socket when the process ends."""
    if sys.platform != "linux":
        return True
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0minewarden-ports-{block}")
    except OSError:
        claim.close()
        return False
    _claims.append(claim)
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
