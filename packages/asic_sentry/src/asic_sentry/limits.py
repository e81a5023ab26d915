"""Finds how many connections this process may have open. Beyond that the system refuses connections to healthy ASICs,
too.

POSIX only: Windows has no such limit for sockets.
"""

import sys

_RESERVED = 64  # the store, the local page, the commander's client, logs
_WANTED = 4096


def raise_open_files(wanted: int = _WANTED) -> int:
    """Raises the soft limit as far as the system allows, and returns how many connections fit under it."""
    if sys.platform == "win32":
        return wanted
    import resource  # POSIX

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    infinite = resource.RLIM_INFINITY
    reachable = wanted if hard == infinite else min(wanted, hard)
    if soft != infinite and soft < reachable:
        resource.setrlimit(resource.RLIMIT_NOFILE, (reachable, hard))
        soft = reachable
    return max(1, (wanted if soft == infinite else soft) - _RESERVED)
