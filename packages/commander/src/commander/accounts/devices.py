"""Known browsers: those that have logged in before. A cookie with a signature says so.

The key of the signature is the stored hash of the password. A new password therefore makes every browser unknown, and
nothing else has to be kept. A known browser still needs the password: it only does not wait behind strangers.
"""

import hashlib
import hmac
import secrets

ID_BYTES = 16
COOKIE_LONGEST = 128


def new_device(password_hash: str) -> str:
    """Returns the cookie of a browser that has just logged in."""
    device = secrets.token_hex(ID_BYTES)
    return f"{device}.{_signature(device, password_hash)}"


def device_of(cookie: str, password_hash: str) -> str | None:
    """Returns the id in the cookie of a known browser; None for every other text."""
    device, dot, signature = cookie[:COOKIE_LONGEST].partition(".")
    if not dot or not device.isascii() or not signature.isascii():
        return None
    return device if hmac.compare_digest(signature, _signature(device, password_hash)) else None


def _signature(device: str, password_hash: str) -> str:
    key = hashlib.sha256(b"minewarden known browser\0" + password_hash.encode()).digest()
    return hmac.new(key, device.encode(), hashlib.sha256).hexdigest()
