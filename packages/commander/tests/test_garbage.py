"""The garbage collector of Python, while the commander serves."""

import asyncio
import gc
import weakref

import pytest
from commander.jobs import garbage
from commander.jobs.garbage import collecting


class Cycle:
    """Refers to itself, as a closed connection and its transport refer to each other."""

    def __init__(self) -> None:
        self.itself = self


async def test_a_cycle_in_the_oldest_generation_is_collected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(garbage, "EVERY_S", 0.01)
    cycle, is_gone = Cycle(), asyncio.Event()
    _reference = weakref.ref(cycle, lambda _: is_gone.set())
    gc.collect()  # what is alive now gets into the oldest generation
    del cycle
    assert not is_gone.is_set()
    async with collecting(), asyncio.timeout(30):
        await is_gone.wait()
