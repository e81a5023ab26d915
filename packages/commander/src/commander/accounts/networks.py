"""The network that a request comes from: whose limits it uses, and whether it is one of the farm's."""

import ipaddress

from litestar.types import Scope

KNOWN = "minewarden_sender_is_known"  # a function, in the state of a request's scope


def sender_network(host: str) -> str:
    """Returns the address itself; for IPv6 its /64, because one machine has all of it."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is None:
        return str(ipaddress.ip_network((address.packed, 64), strict=False))
    return host


def sender_is_known(scope: Scope) -> None:
    """Notes that this request came with a valid token, key or session: its connection is no stranger's."""
    if note := scope.get("state", {}).get(KNOWN):
        note()
