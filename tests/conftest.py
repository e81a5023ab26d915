"""Fixtures of tests of the whole system."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.farm import CommanderProcess, running_commander


@pytest.fixture
def commander(tmp_path: Path) -> Iterator[CommanderProcess]:
    """A real commander of this test's own, with HTTPS by its own CA."""
    with running_commander(tmp_path) as serving:
        yield serving


@pytest.fixture
def network() -> str:
    """Addresses of this test process alone."""
    return f"127.{210 + os.getpid() % 40}.{os.getpid() // 40 % 250}.0/24"
