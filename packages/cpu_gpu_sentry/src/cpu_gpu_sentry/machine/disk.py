"""The disk of the sentry's data: whether it is nearly full, or can only be read."""

import shutil
from pathlib import Path

from sentry_kit.read_only import is_read_only

NEARLY_FULL_BYTES = 1_000_000_000
_GB = 1e9


def disk_problem(folder: Path) -> str | None:
    """Returns what is wrong, for people: "0.4 GB of 60 GB are free". None: nothing is known to be wrong."""
    try:
        usage = shutil.disk_usage(folder)
        if is_read_only(folder):
            return "it can only be read"
    except OSError:
        return None
    if usage.free >= NEARLY_FULL_BYTES:
        return None
    return f"{usage.free / _GB:.1f} GB of {usage.total / _GB:.0f} GB are free"
