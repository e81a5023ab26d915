"""A check that a pool and a second host can be reached: a TCP connection that is closed immediately."""

import asyncio
import contextlib
import re
from urllib.parse import urlsplit

_TIMEOUT_S = 5.0
_HOST_PORT = re.compile(r"(?:[\w+.-]+://)?(?:[^@/]*@)?(\[[0-9a-fA-F:]+\]|[\w.-]+):(\d{1,5})(?:/.*)?", re.ASCII)
_PORTS = {"https": 443, "http": 80}

Endpoint = tuple[str, int]


def pool_endpoint(pool: str) -> Endpoint | None:
    """Returns host and port of `stratum+ssl://pool.example:443` or `pool.example:443`; None if there is no port."""
    parts = _HOST_PORT.fullmatch(pool.strip())
    if parts is None or not 0 < int(parts[2]) < 65536:
        return None
    return parts[1].strip("[]"), int(parts[2])


def url_endpoint(url: str) -> Endpoint | None:
    """Returns host and port of the commander's address."""
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return None
    return (parts.hostname, port) if parts.hostname and port else None


async def can_connect(endpoint: Endpoint, timeout_s: float = _TIMEOUT_S) -> bool:
    try:
        async with asyncio.timeout(timeout_s):
            _, writer = await asyncio.open_connection(*endpoint)
    except (OSError, TimeoutError, UnicodeError):
        return False
    writer.close()
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(timeout_s):
            await writer.wait_closed()
    return True


async def any_reachable(endpoints: frozenset[Endpoint]) -> bool | None:
    """Returns whether one of them can be reached; None if there is none to try."""
    if not endpoints:
        return None
    async with asyncio.TaskGroup() as group:
        tries = [group.create_task(can_connect(each)) for each in sorted(endpoints)]
    return any(each.result() for each in tries)
