"""Saved views of the index pages."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "saved_views",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("name_key", sa.String(256), nullable=False),
        sa.Column("query", sa.Text, nullable=False),
        sa.UniqueConstraint("kind", "name_key", name="uq_saved_views_kind"),
        sqlite_autoincrement=True,
    )
