"""Run by Alembic for each upgrade."""

import sqlalchemy as sa
from alembic import context

from commander.db import metadata
from commander.migrations import tables

assert tables  # noqa: S101 - imported for what it adds to the metadata


def step(connection: sa.Connection) -> None:
    context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()


connection: sa.Connection | None = context.config.attributes["connection"]
if connection is not None:
    step(connection)
else:
    engine = sa.create_engine(context.config.get_main_option("sqlalchemy.url") or "", poolclass=sa.NullPool)
    with engine.connect() as own:
        step(own)
