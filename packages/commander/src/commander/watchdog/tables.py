"""The watchdog in the database: rules, and what rigs did by themselves."""

import sqlalchemy as sa

from commander.db import Moment, metadata

watchdog_rules = sa.Table(
    "watchdog_rules",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("selection", sa.Text, nullable=False),
    sa.Column("limits", sa.LargeBinary, nullable=False),
    # A removed rule stays: from the first rule on, sentries get their limits, also if these are the usual ones.
    sa.Column("is_removed", sa.Boolean, nullable=False),
)

watchdog_events = sa.Table(
    "watchdog_events",
    metadata,
    sa.Column("rig_id", sa.Integer, sa.ForeignKey("cpu_gpu_rigs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("event_id", sa.String(64), primary_key=True),
    sa.Column("at", Moment, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    # It gave the rig up. Since then the rig has not mined, and no person has acted on it.
    sa.Column("is_given_up", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Index("ix_watchdog_events_at", "at"),
    sa.Index(
        "ix_watchdog_events_given_up",
        "rig_id",
        sqlite_where=sa.text("is_given_up"),
        postgresql_where=sa.text("is_given_up"),
    ),
    sqlite_with_rowid=False,
)
