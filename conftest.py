"""Hooks for all test runs of all packages."""

import gc

import pytest
from hypothesis import HealthCheck, settings

# On a busy machine any example may take a second, and so may making one.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Lets the longest tests begin first, so that none of them is left over at the end: they have longer timeouts."""
    items.sort(key=_timeout_s, reverse=True)


def pytest_collection_finish() -> None:
    """Lets the garbage collector pass over what was imported: it looks at it again and again for nothing."""
    gc.collect()
    gc.freeze()


def _timeout_s(item: pytest.Item) -> float:
    marker = item.get_closest_marker("timeout")
    return float(marker.args[0]) if marker else 0.0
