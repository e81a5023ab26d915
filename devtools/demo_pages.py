"""Prints one-time addresses for the local pages of the demo's sentries: without one, these pages are read-only."""

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

Command = Callable[..., str]
WITHIN_S = 30


class CannotShow(Exception):
    """The demo can't go on; the text says what to do."""


def say_pages(command: Command, data: Path, rest: Callable[[], bool]) -> None:
    """Prints the addresses. `command` runs a sentry's command; `rest` waits, and returns whether the demo ended."""
    for program, folder in (("cpu-gpu-sentry", "sentry"), ("asic-sentry", "asic-sentry")):
        if address := page_address(command, program, rest):
            setting = f"{program.upper().replace('-', '_')}_DATA_DIR={data / folder}"
            print(
                f"  The page of {program}, open for changes (once, within ten minutes):\n    {address}\n"
                f"    a new address: {setting} {Path(sys.executable).parent / program} page\n",
                flush=True,
            )


def page_address(command: Command, program: str, rest: Callable[[], bool]) -> str | None:
    """Returns the address as soon as the sentry runs; None if that takes too long."""
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline and not rest():
        with suppress(CannotShow):
            return command(program, "page").strip()
    return None
