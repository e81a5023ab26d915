"""Python's garbage collector, for programs that keep much and leave few cycles.

What a start makes stays, such as modules, functions and routes. With Python's own thresholds the collector looked at
all of it several times while the program started, once more when it ended, and took a seventh of the intake's time.
"""

import gc

THRESHOLD = (20_000, 20, 50)  # Python's own: (700, 10, 10)


def collect_rarely() -> None:
    """Raises the thresholds. The oldest generation is then hardly ever collected."""
    gc.set_threshold(*THRESHOLD)


def leave_out_what_exists() -> None:
    """Leaves out of all collections what exists now: after the start, and also when the program ends."""
    gc.freeze()
