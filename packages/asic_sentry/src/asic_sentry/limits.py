"""Finds how many connections this process may have open. Beyond that the system refuses connections to healthy ASICs,
too.

POSIX only: Windows has no such limit for sockets.
"""

import sys

_RESERVED = 64  # the store, the local page, the commander's client, logs
_WANTED = 4096


def raise_open_files(connections: int = _WANTED) -> int:
    """Raises the soft limit as far as the system allows, and returns how many connections fit under it."""
    if sys.platform == "win32":
        return connections
    import resource  # POSIX

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    infinite = resource.RLIM_INFINITY
    reachable = connections if hard == infinite else min(connections, hard)
    if soft != infinite and soft < reachable:
        resource.setrlimit(resource.RLIMIT_NOFILE, (reachable, hard))
        soft = reachable
    return max(1, (connections if soft == infinite else soft) - _RESERVED)
