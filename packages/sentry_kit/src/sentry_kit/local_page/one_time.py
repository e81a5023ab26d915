"""One-time addresses of the local page.

The running sentry keeps a secret in a file that only its user can read. A command of that user makes an address from
it, which the sentry accepts once, within ten minutes. The code in it is `EXPIRES-NONCE-MAC`, where MAC is the
HMAC-SHA256 of the two before it.
"""

import hmac
import logging
import secrets
import time
from hashlib import sha256
from pathlib import Path

import msgspec

from sentry_kit.errors import SentryError
from sentry_kit.lock import is_running
from sentry_kit.private_files import write_private

log = logging.getLogger(__name__)

FILE = "page.json"
CODE_LASTS_S = 600
_SECRET_BYTES = 32
_NONCE_BYTES = 16


class PageFile(msgspec.Struct, frozen=True, kw_only=True):
    """`page.json`: the page's address without a code, and the secret in hex, both since the sentry's last start."""

    url: str
    secret: str


def publish_secret(data_dir: Path, url: str) -> bytes:
    """Writes a new secret, so that addresses of before this start are invalid."""
    secret = secrets.token_bytes(_SECRET_BYTES)
    try:
        write_private(data_dir / FILE, msgspec.json.encode(PageFile(url=url, secret=secret.hex())))
    except OSError as error:
        log.warning("page_closed The local page accepts no log-in: %s can't be written (%s).", FILE, error)
    return secret


def one_time_address(data_dir: Path, program: str, data_dir_setting: str) -> str:
    """Returns the address to open. Raises `SentryError` if no sentry of this user runs."""
    try:
        page = msgspec.json.decode((data_dir / FILE).read_bytes(), type=PageFile)
        has_page = is_running(data_dir)
    except FileNotFoundError:
        has_page = False
    except (OSError, msgspec.DecodeError) as error:
        raise SentryError(
            f"{data_dir / FILE} can't be read; run this command as the user that the sentry runs as."
        ) from error
    if not has_page:
        raise SentryError(
            f"No sentry runs with the data directory {data_dir}; start it with {program} run, "
            f"or set {data_dir_setting} to the running sentry's directory."
        )
    return f"{page.url}login?code={new_code(bytes.fromhex(page.secret), time.time())}"


def new_code(secret: bytes, now_s: float) -> str:
    signed = f"{int(now_s) + CODE_LASTS_S}-{secrets.token_hex(_NONCE_BYTES)}"
    return f"{signed}-{_mac(secret, signed)}"


def expiry_of(code: str, secret: bytes, now_s: float) -> float | None:
    """Returns when the code expires; None if it has expired or was not made with this secret."""
    signed, _, mac = code.rpartition("-")
    expires = signed.partition("-")[0]
    if not hmac.compare_digest(mac.encode("utf-8", "replace"), _mac(secret, signed).encode()):
        return None
    left_s = int(expires) - now_s
    return int(expires) if 0 < left_s <= CODE_LASTS_S + 1 else None


def _mac(secret: bytes, signed: str) -> str:
    return hmac.new(secret, signed.encode("utf-8", "replace"), sha256).hexdigest()
