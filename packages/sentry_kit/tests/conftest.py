"""Fixtures that several tests of the kit need."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sentry_kit.store import open_store


@pytest.fixture
def db(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_store(tmp_path / "sentry.db")) as connection:
        yield connection
