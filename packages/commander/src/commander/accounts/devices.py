"""Known browsers: those that have logged in before. A cookie with a signature says so, for one access.

The key of the signature is the stored hash of that access's password. So nothing else has to be stored, and after a
new password no browser of this access is known any more. A known browser needs the password too, but it does not wait
while strangers guess. It is known for one access alone: for the password of another one it waits like a stranger.
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import NamedTuple

ID_BYTES = 16
COOKIE_LONGEST = 128


class Device(NamedTuple):
    """A known browser, and the access as which it has logged in."""

    access_id: int
    id: str


def new_device(access_id: int, password_hash: str) -> str:
    """Returns the cookie of a browser that has just logged in as this access."""
    device = Device(access_id, secrets.token_hex(ID_BYTES))
    return f"{device.access_id}.{device.id}.{_signature(device, password_hash)}"


def device_of(cookie: str, password_hashes: Mapping[int, str]) -> Device | None:
    """Returns the known browser whose cookie this is; None for every other text. The hashes are by access."""
    parts = cookie[:COOKIE_LONGEST].split(".")
    if not cookie.isascii() or len(parts) != 3 or not parts[0].isdecimal():
        return None
    device = Device(int(parts[0]), parts[1])
    hashed = password_hashes.get(device.access_id)
    if hashed is None or not hmac.compare_digest(parts[2], _signature(device, hashed)):
        return None
    return device


def _signature(device: Device, password_hash: str) -> str:
    key = hashlib.sha256(b"minewarden known browser 2\0" + password_hash.encode()).digest()
    return hmac.new(key, f"{device.access_id}.{device.id}".encode(), hashlib.sha256).hexdigest()
