"""The access token of a miner's API: made for a script that has `{api_token}`, or found in a script that sets its own.

Tokens follow from one secret of this sentry, so that a miner that outlives the sentry is still asked with its own.
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
    """This sentry's secret, made the first time; readable by its owner alone. Without a disk it lasts till the end."""
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
    """What the miner's API wants; None where the script sets none."""
    if API_TOKEN in playbook.script:
        return hmac.new(secret, playbook.id.encode(), hashlib.sha256).hexdigest()[:32]
    option = _OPTIONS.get(playbook.package.software)
    found = re.search(rf"(?:^|\s){re.escape(option)}[=\s]+(['\"]?)([^\s'\"]+)\1", playbook.script) if option else None
    return found[2] if found else None
