"""The migrations make exactly the tables that the code speaks of."""

from pathlib import Path

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from commander import tables
from commander.db import metadata
from commander.migrations import migrate


def test_a_migrated_database_has_the_tables_of_the_code(tmp_path: Path) -> None:
    assert tables
    assert migrate(tmp_path / "commander.db")
    assert not migrate(tmp_path / "commander.db"), "the second time there is nothing to do"
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'commander.db'}")
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
    engine.dispose()
    assert differences == []
