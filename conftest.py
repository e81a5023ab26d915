"""Hooks for all test runs of all packages."""

import gc


def pytest_collection_finish() -> None:
    """Lets the garbage collector pass over what was imported: it looks at it again and again for nothing."""
    gc.collect()
    gc.freeze()
