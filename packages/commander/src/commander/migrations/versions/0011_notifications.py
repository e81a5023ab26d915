"""Channels for messages to people, and the outbox."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_table(
        "notification_channels",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(64), nullable=False, unique=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("settings", sa.LargeBinary, nullable=False),
        sa.Column("secrets", sa.LargeBinary, nullable=False),
        sa.Column("wishes", sa.LargeBinary, nullable=False),
        sa.Column("is_enabled", sa.Boolean, nullable=False),
        sa.Column("off_reason", sa.Text, nullable=False),
        sa.Column("last_error", sa.Text, nullable=False),
        sa.Column("last_error_at", sa.BigInteger),
        sa.Column("last_sent_at", sa.BigInteger),
        sa.Column("digest_due_at", sa.BigInteger),
        sqlite_autoincrement=True,
    )
    _messages()


def _messages() -> None:
    channel = sa.ForeignKey("notification_channels.id", ondelete="CASCADE")
    op.create_table(
        "notifications",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("channel_id", sa.Integer, channel, nullable=False),
        sa.Column("incident_id", sa.Integer),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("event", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("is_escalation", sa.Boolean, nullable=False),
        sa.Column("is_held", sa.Boolean, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("made_at", sa.BigInteger, nullable=False),
        sa.Column("finished_at", sa.BigInteger),
        sa.Column("error", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.UniqueConstraint("channel_id", "incident_id", "step", name="uq_notifications_message"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_notifications_due", "notifications", ["state", "due_at"])
    op.create_index("ix_notifications_incident", "notifications", ["incident_id", "channel_id"])
    op.create_index("ix_notifications_finished", "notifications", ["finished_at"])
