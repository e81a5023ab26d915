"""Checks addresses that people enter: of one ASIC, or of a network to scan."""

import ipaddress
from collections.abc import Iterator

from sentry_kit.errors import BadUse

LARGEST_NETWORK = 65_536  # addresses: an IPv4 /16


class BadAddress(BadUse):
    """`field` is `ip`, `port` or `network`."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field = field


def check_address(ip: str, port: str | None) -> tuple[str, int | None]:
    """Returns the IP and port in their usual form. Raises `BadAddress`."""
    try:
        address = str(ipaddress.ip_address(ip.strip()))
    except ValueError as error:
        raise BadAddress("ip", f"“{ip}” is not an IP; give one such as 192.168.1.50.") from error
    return address, check_port(port) if port else None


def check_port(port: str) -> int:
    text = port.strip()
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        raise BadAddress("port", f"“{port}” is not a port; give a number from 1 to 65535.")
    return int(text)


class Network:
    """The addresses of a CIDR, in order. Raises `BadAddress`."""

    def __init__(self, cidr: str) -> None:
        try:
            self._network = ipaddress.ip_network(cidr.strip(), strict=False)
        except ValueError as error:
            sentence = f"“{cidr}” is not a network; give one such as 192.168.1.0/24."
            raise BadAddress("network", sentence) from error
        if self._network.num_addresses > LARGEST_NETWORK:
            raise BadAddress("network", f"{self._network} is too large; look through a /16 at most, part by part.")

    def __str__(self) -> str:
        return str(self._network)

    def __len__(self) -> int:
        """Returns the number of addresses that a device could have."""
        every = self._network.num_addresses
        return every if every <= 2 else every - (2 if self._network.version == 4 else 1)

    def __iter__(self) -> Iterator[str]:
        return map(str, self._network.hosts())
