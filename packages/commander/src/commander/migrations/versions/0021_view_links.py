"""View links: each shows one saved view without a log-in."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    op.create_table(
        "view_links",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("view_id", sa.Integer, sa.ForeignKey("saved_views.id", ondelete="CASCADE"), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(32), nullable=False, unique=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("last_used_at", sa.BigInteger),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_view_links_view_id", "view_links", ["view_id"])
