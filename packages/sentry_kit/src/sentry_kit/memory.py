"""Keeps a sentry small: starting up leaves garbage behind that Python would hold for as long as it runs."""

import asyncio
import ctypes
import gc
import sys

_FIRST_S = 20
_EVERY_S = 600


async def tidy_for_ever() -> None:
    await asyncio.sleep(_FIRST_S)
    while True:
        tidy()
        await asyncio.sleep(_EVERY_S)


def tidy() -> None:
    """Takes 20 ms, and 4 MB off 51 after the start. Giving back to the system is known to glibc alone (Linux)."""
    gc.collect()
    if sys.platform != "linux":
        return
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    except (OSError, AttributeError):
        return
