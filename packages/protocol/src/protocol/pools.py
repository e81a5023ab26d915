"""The addresses of pools, as playbooks, mining software and ASICs write them."""

import ipaddress
import re
from functools import lru_cache

COMPARED_KEPT = 16_384  # they are compared with every log, and stay the same for weeks
_HIDDEN = re.compile(r"\*|\.\.\.|…")


def is_shortened(text: str) -> bool:
    """Returns whether a part of the text is left out: some software shortens what it shows."""
    return bool(_HIDDEN.search(text))


@lru_cache(maxsize=COMPARED_KEPT)
def same_pool(reported: str, expected: str) -> bool:
    """Returns whether both are one pool. Scheme, user, case and a missing port do not matter."""
    host, port = _host_and_port(reported)
    expected_host, expected_port = _host_and_port(expected)
    if host != expected_host and not (_is_address(host) or _is_address(expected_host) or is_shortened(host)):
        return False  # the address behind a name is not known here
    if _is_address(host) and _is_address(expected_host) and host != expected_host:
        return False
    return port == expected_port or not port or not expected_port


def _host_and_port(pool: str) -> tuple[str, str]:
    plain = pool.strip().casefold().rpartition("://")[2].rpartition("@")[2].partition("/")[0]
    host, colon, port = plain.rpartition(":")
    if not colon or not port.isdecimal() or (plain.count(":") > 1 and not host.endswith("]")):
        host, port = plain, ""
    return host.strip("[]").rstrip("."), port


def _is_address(host: str) -> bool:
    try:
        return bool(ipaddress.ip_address(host))
    except ValueError:
        return False
