"""The access token of a miner's API: made for a script with `{api_token}`, or found in a script that sets its own.

Tokens are derived from one secret of this sentry, so a miner that outlives the sentry still accepts them.
"""

import contextlib
import hashlib
import hmac
import os
import re
import secrets
from pathlib import Path

from protocol.playbook_messages import API_TOKEN, Playbook

_FILE = "api-token.key"
_SECRET_BYTES = 32
_OPTIONS = {
    "xmrig": "--http-access-token",
    "xmrig-proxy": "--http-access-token",
    "claymore": "-mpsw",
    "phoenixminer": "-cdmpass",
}


def load_secret(data_dir: Path) -> bytes:
    """Returns this sentry's secret, made at the first call and readable by its owner only.

    If it can't be written it lasts until the sentry ends.
    """
    path = data_dir / _FILE
    with contextlib.suppress(OSError):
        if len(secret := path.read_bytes()) == _SECRET_BYTES:
            return secret
    secret = secrets.token_bytes(_SECRET_BYTES)
    with contextlib.suppress(OSError):
        new = path.with_name(f"{_FILE}.new")
        with os.fdopen(os.open(new, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as file:
            file.write(secret)
        new.replace(path)
    return secret


def api_token(playbook: Playbook, secret: bytes) -> str | None:
    """Returns the token that the miner's API wants; None if the script sets none."""
    if API_TOKEN in playbook.script:
        return hmac.new(secret, playbook.id.encode(), hashlib.sha256).hexdigest()[:32]
    option = _OPTIONS.get(playbook.package.software)
    setting = re.search(rf"(?:^|\s){re.escape(option)}[=\s]+(['\"]?)([^\s'\"]+)\1", playbook.script) if option else None
    return setting[2] if setting else None
