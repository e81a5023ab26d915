"""Waiting for what another process or thread does: it can only be looked at repeatedly."""

import time
from collections.abc import Callable

WITHIN_S = 60.0


def eventually(condition: Callable[[], bool]) -> None:
    """Returns as soon as `condition` holds."""
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
