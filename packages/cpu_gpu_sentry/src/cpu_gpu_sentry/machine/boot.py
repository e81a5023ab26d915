"""The boot of this machine: its id, and its age by a clock that can't be set."""

import sys
import time
from pathlib import Path

from cpu_gpu_sentry.machine.cpu import uptime_s

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id(path: Path = BOOT_ID) -> str | None:
    """Returns the id that Linux makes at each boot; None elsewhere. In a container it is the host's."""
    try:
        return path.read_text("ascii").strip()[:64] or None
    except (OSError, UnicodeDecodeError):
        return None


def boot_age_s() -> float:
    """Returns the time since the boot, sleep included."""
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return float(uptime_s())
