"""Alert rules in the database. Those that are shipped are added at the start, see `actions.py`."""

import sqlalchemy as sa

from commander.db import Moment, metadata

alert_rules = sa.Table(
    "alert_rules",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("shipped", sa.String(64), unique=True),  # the name among the shipped rules; None: somebody added it
    sa.Column("is_changed", sa.Boolean, nullable=False),  # a shipped rule that somebody has changed
    sa.Column("rule", sa.String(128), nullable=False),
    sa.Column("sensor", sa.String(16)),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("selection", sa.Text, nullable=False),
    sa.Column("warning", sa.Float),
    sa.Column("critical", sa.Float),
    sa.Column("severity", sa.String(16), nullable=False),
    sa.Column("for_s", sa.Float, nullable=False),
    sa.Column("clear_for_s", sa.Float, nullable=False),
    sa.Column("allowed", sa.Text, nullable=False, server_default=""),  # pools, for the rule wallet
    sa.Column("failing_since", Moment),  # when an error of the commander first kept it from being evaluated
    sqlite_autoincrement=True,
)

# What is usual for a rig, learnt from its history: `Usual` as JSON.
usual_values = sa.Table(
    "usual_values",
    metadata,
    sa.Column("kind", sa.String(16), primary_key=True),
    sa.Column("rig_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("learnt_at", Moment, nullable=False, index=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
)
