"""Tunes Python's garbage collector for a server that keeps much and leaves few cycles.

Python's own thresholds took a seventh of the intake's time. With higher ones the oldest generation is hardly ever
collected. Each closed WebSocket leaves a cycle there, with 400 KB of TLS buffers. So all generations are collected at
intervals, but without what exists since the start, such as modules and functions.
"""

import asyncio
import gc

THRESHOLD = (20_000, 20, 50)  # Python's own: (700, 10, 10)
EVERY_S = 60.0


def tune() -> None:
    """Raises the thresholds, and leaves out of all collections what exists now."""
    gc.set_threshold(*THRESHOLD)
    gc.collect()
    gc.freeze()


async def collect_at_intervals() -> None:
    """Runs until it is cancelled."""
    while True:
        await asyncio.sleep(EVERY_S)
        gc.collect()
