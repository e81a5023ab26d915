"""Network addresses to which messages may be sent.

A person enters a channel's address, and its name can resolve to any address. So the resolved address is checked, and
the connection is made to the address that was checked. Private networks are allowed: a farm's own ntfy is there.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Iterator
from typing import TypeAlias

from commander.notifications.failures import DeliveryFailure

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
LOOKUP_TIMEOUT_S = 5
# Where clouds answer programs with the machine's credentials, beside 169.254.0.0/16: AWS, Alibaba, Azure, Oracle.
_METADATA = frozenset(
    ipaddress.ip_address(text) for text in ("fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192")
)
_NAT64 = tuple(ipaddress.IPv6Network(text) for text in ("64:ff9b::/96", "64:ff9b:1::/96"))
_COMPATIBLE = ipaddress.IPv6Network("::/96")  # IPv4-compatible, RFC 4291 2.5.5.1
_THIS_NETWORK = ipaddress.IPv4Network("0.0.0.0/8")  # a connection to it reaches this machine


def is_allowed(address: Address, *, loopback: bool) -> bool:
    """Returns whether messages may be sent to the address, and to an IPv4 address that is a part of an IPv6 address."""
    return all(_is_allowed(each, loopback=loopback) for each in (address, *_embedded(address)))


def _is_allowed(address: Address, *, loopback: bool) -> bool:
    if address.is_loopback:
        return loopback
    if isinstance(address, ipaddress.IPv4Address) and address in _THIS_NETWORK:
        return False
    forbidden = address.is_link_local or address.is_multicast or address.is_unspecified or address in _METADATA
    return not forbidden and address != ipaddress.IPv4Address("255.255.255.255")


def _embedded(address: Address) -> Iterator[ipaddress.IPv4Address]:
    """Yields the IPv4 addresses that routers and systems may take from an IPv6 address."""
    if isinstance(address, ipaddress.IPv4Address):
        return
    if address.ipv4_mapped:
        yield address.ipv4_mapped
    if address.sixtofour:
        yield address.sixtofour
    if address.teredo:
        yield from address.teredo
    last = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if any(address in network for network in _NAT64):
        yield last
    if address in _COMPATIBLE and int(address) > 1:
        yield last


async def allowed_addresses(host: str, port: int, *, loopback: bool) -> list[str]:
    """Returns the addresses of a host that a message may go to, in the system's order.

    Raises `DeliveryFailure` if there is none.
    """
    found = await _looked_up(host, port)
    allowed = [text for text in found if is_allowed(ipaddress.ip_address(text), loopback=loopback)]
    if not allowed:
        about = f"{host} is {found[0]}, " if found[0] != host.strip("[]") else f"{host} is "
        raise DeliveryFailure(f"{about}an address that messages are never sent to. {_advice(found[0])}")
    return allowed


def _advice(address: str) -> str:
    if ipaddress.ip_address(address).is_loopback:
        return "COMMANDER_NOTIFY_LOOPBACK=true allows servers on the commander's own machine."
    return "Enter another address."


async def _looked_up(host: str, port: int) -> list[str]:
    try:
        async with asyncio.timeout(LOOKUP_TIMEOUT_S):
            entries = await asyncio.get_running_loop().getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    except TimeoutError as error:
        raise DeliveryFailure(f"The name {host} could not be looked up within {LOOKUP_TIMEOUT_S} s.") from error
    except (OSError, UnicodeError) as error:
        raise DeliveryFailure(f"The name {host} could not be looked up: {_reason(error)}.") from error
    return list(dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in entries))


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
