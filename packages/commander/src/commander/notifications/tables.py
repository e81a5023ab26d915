"""Channels and the outbox in the database."""

import sqlalchemy as sa

from commander.db import Moment, metadata

notification_channels = sa.Table(
    "notification_channels",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(64), nullable=False, unique=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("settings", sa.LargeBinary, nullable=False),  # JSON without what is secret
    sa.Column("secrets", sa.LargeBinary, nullable=False),  # sealed, see `sealing.py`
    sa.Column("wishes", sa.LargeBinary, nullable=False),  # JSON: severities, selection, delay, quiet hours, digest
    sa.Column("is_enabled", sa.Boolean, nullable=False),
    sa.Column("off_reason", sa.Text, nullable=False),  # why the commander switched it off; empty: it did not
    sa.Column("last_error", sa.Text, nullable=False),
    sa.Column("last_error_at", Moment),
    sa.Column("last_sent_at", Moment),
    sa.Column("digest_due_at", Moment),
    sqlite_autoincrement=True,
)

notifications = sa.Table(
    "notifications",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("channel_id", sa.Integer, sa.ForeignKey("notification_channels.id", ondelete="CASCADE"), nullable=False),
    sa.Column("incident_id", sa.Integer),  # none: a message of the commander itself
    sa.Column("step", sa.Integer, nullable=False),
    sa.Column("event", sa.String(16), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("is_escalation", sa.Boolean, nullable=False),  # it waits for somebody to acknowledge the incident
    sa.Column("is_held", sa.Boolean, nullable=False),  # quiet hours hold it
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("due_at", Moment, nullable=False),  # while it is being sent: when another may take it
    sa.Column("made_at", Moment, nullable=False),
    sa.Column("finished_at", Moment),
    sa.Column("error", sa.Text, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),  # `News` as JSON
    sa.UniqueConstraint("channel_id", "incident_id", "step", name="uq_notifications_message"),
    sa.Index("ix_notifications_due", "state", "due_at"),
    sa.Index("ix_notifications_incident", "incident_id", "channel_id"),
    sa.Index("ix_notifications_finished", "finished_at"),
    sqlite_autoincrement=True,
)
