"""The number of kills: a few in `make test`, hundreds in `make kills`."""

import os


def kills(usual: int) -> int:
    """Returns the number in the environment variable `KILLS`, or the usual one."""
    return int(os.environ.get("KILLS") or usual)
