"""Files that only their owner may read: how they are written, and the names of the keys among them."""

import os
from pathlib import Path
from secrets import token_hex

NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)  # Windows has none
SECRETS_KEY = "secrets.key"  # beside the CA: the key that seals secrets in the database
PLAYBOOK_KEY = "playbook.key"  # likewise: the key that signs what sentries run


def write_private(path: Path, content: bytes) -> None:
    """Writes a file that only its owner may read; a crash leaves the old one or the new one."""
    new = path.with_name(f".{path.name}.{token_hex(8)}")
    try:
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_FOLLOW, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
