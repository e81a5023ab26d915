"""The network that a request comes from. Limits are counted for each network."""

import ipaddress


def sender_network(host: str) -> str:
    """Returns the address itself; for IPv6 its /64, because one machine has all of it."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is None:
        return str(ipaddress.ip_network((address.packed, 64), strict=False))
    return host
