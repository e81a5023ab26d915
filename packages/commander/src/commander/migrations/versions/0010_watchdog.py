"""Rules of the watchdog's ladder, and what rigs did by themselves."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "watchdog_rules",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("selection", sa.Text, nullable=False),
        sa.Column("limits", sa.LargeBinary, nullable=False),
        sa.Column("is_removed", sa.Boolean, nullable=False),
    )
    op.create_table(
        "watchdog_events",
        sa.Column("rig_id", sa.Integer, sa.ForeignKey("cpu_gpu_rigs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("event_id", sa.String(64), primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_watchdog_events_at", "watchdog_events", ["at"])
