"""Small files that only the sentry's user can read, replaced as a whole.

After a loss of power the old or the new one is there.
"""

import contextlib
import os
import secrets
from pathlib import Path


def write_private(path: Path, content: bytes) -> None:
    """Writes beside `path`, then renames. Raises `OSError`."""
    new = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        with os.fdopen(os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Makes the rename permanent. Windows can't open a folder, and does this by itself."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
