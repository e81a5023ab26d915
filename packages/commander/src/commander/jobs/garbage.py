"""Collects garbage at intervals, in programs whose collector is tuned as in `commander.garbage`."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

EVERY_S = 60.0


async def collect_at_intervals() -> None:
    """Runs until it is cancelled.

    Each closed WebSocket leaves a cycle in the oldest generation, with 400 KB of TLS buffers.
    """
    while True:
        await asyncio.sleep(EVERY_S)
        gc.collect()


@asynccontextmanager
async def collecting() -> AsyncIterator[None]:
    """Collects at intervals while the block runs."""
    task = asyncio.create_task(collect_at_intervals())
    try:
        yield
    finally:
        task.cancel()
