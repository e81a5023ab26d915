"""Checks of addresses. A value that passes may still be quoted wrongly somewhere, so it has no character
that a shell reads, and never begins like an option."""

import ipaddress
import re
import unicodedata

from commander.addresses.coins import coin_of
from commander.addresses.domain import ADDRESS_MAX_LENGTH, NAME_MAX_LENGTH, AddressKind, BadAddress

_KINDS = ("stratum", "stratum1", "stratum2", "ethstratum", "ethproxy", "nicehash", "zstratum")
SCHEMES = {f"{kind}{way}" for kind in _KINDS for way in ("", "+tcp", "+tcps", "+ssl", "+tls")} | {
    *("tcp", "ssl", "tls", "http", "https", "daemon+http", "daemon+https")
}
_NAME = re.compile(r"\w[\w .,:#'&()+@/-]*")
_COIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._()-]{0,63}")
_HOST = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*\.?", re.IGNORECASE)
_WALLET = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:@/+=-]*")
_SUFFIX = re.compile(r"(?<=.)[.+/@=][^:]*$")  # what pools let people put behind a wallet: .worker, +difficulty


def checked_name(text: str) -> str:
    name = unicodedata.normalize("NFC", text).strip(" ")
    if not name:
        raise BadAddress("name", "Give it a name.")
    if len(name) > NAME_MAX_LENGTH:
        raise BadAddress("name", f"A name has {NAME_MAX_LENGTH} characters at most; this one has {len(name)}.")
    if not _NAME.fullmatch(name):
        raise BadAddress(
            "name",
            "A name begins with a letter or digit and holds letters, digits, spaces and . , _ - : # ' & ( ) + @ / "
            "only.",
        )
    return name


def checked_coin(text: str | None, *, field: str = "coin") -> str | None:
    """The coin as its own people spell it: "xmr" is Monero."""
    coin = (text or "").strip(" ")
    if not coin:
        return None
    coin_row = coin_of(coin)
    if coin_row is None and not _COIN.fullmatch(coin):
        raise BadAddress(field, "A coin is written with letters, digits, spaces and . _ - ( ), 64 characters at most.")
    return coin_row.name if coin_row else coin


def checked_address(kind: AddressKind, coin: str | None, text: str) -> str:
    """`text` as the address of a pool, or of a wallet of `coin`."""
    address = text.strip(" ")
    if not address:
        raise BadAddress(
            "address", "Give the pool's host and port." if kind is AddressKind.POOL else "Give the wallet."
        )
    if len(address) > ADDRESS_MAX_LENGTH:
        raise BadAddress("address", f"An address has {ADDRESS_MAX_LENGTH} characters at most.")
    return _pool(address) if kind is AddressKind.POOL else _wallet(address, coin)


def _pool(text: str) -> str:
    scheme, separator, rest = text.rpartition("://")
    if separator and scheme.lower() not in SCHEMES:
        raise BadAddress(
            "address", f"{scheme[:40]}:// is no way to a pool; write stratum+tcp://, stratum+ssl:// or nothing there."
        )
    host, colon, port = rest.rpartition(":")
    if not colon or not port.isascii() or not port.isdecimal() or not 1 <= int(port) <= 65535:
        raise BadAddress("address", "A pool's address ends with its port, from 1 to 65535: pool.example:3333.")
    if not _is_host(host):
        raise BadAddress("address", f"{host[:60] or 'Nothing'} is no host name: write pool.example:3333.")
    return f"{scheme.lower()}{separator}{host}:{port}"


def _is_host(host: str) -> bool:
    if host.startswith("[") and host.endswith("]"):
        try:
            return bool(ipaddress.IPv6Address(host[1:-1]))
        except ValueError:
            return False
    return len(host) <= 253 and bool(_HOST.fullmatch(host))


def _wallet(text: str, coin: str | None) -> str:
    if coin is None:
        raise BadAddress("coin", "Say which coin the wallet is for.")
    if not _WALLET.fullmatch(text):
        raise BadAddress(
            "address",
            "A wallet begins with a letter or digit and holds letters, digits and . _ - : @ / + = only, no spaces.",
        )
    coin_row = coin_of(coin)
    if coin_row and coin_row.rule:
        try:
            coin_row.rule(_SUFFIX.sub("", text))
        except ValueError as error:
            raise BadAddress("address", f"This is no {coin_row.name} wallet: {error}.") from error
    return text
