"""Stores in a column of its own that a command's batch grows; it was the sign of its size."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    op.add_column("commands", sa.Column("is_growing", sa.Boolean, nullable=False, server_default=sa.false()))
    commands = sa.table("commands", sa.column("size", sa.Integer), sa.column("is_growing", sa.Boolean))
    op.execute(sa.update(commands).where(commands.c.size < 0).values(size=-commands.c.size, is_growing=True))
