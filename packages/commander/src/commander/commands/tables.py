"""Commands in the database: a command, its targets, and what diagnoses and fetched logs contain."""

import sqlalchemy as sa

from commander.db import Moment, metadata

commands = sa.Table(
    "commands",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("action", sa.String(32), nullable=False),
    sa.Column("arguments", sa.LargeBinary, nullable=False),
    sa.Column("reason", sa.String(256), nullable=False),
    sa.Column("selection", sa.Text),  # as it was written; None: the rigs were chosen one by one
    sa.Column("made_at", Moment, nullable=False),
    sa.Column("made_by", sa.String(128), nullable=False),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("size", sa.Integer, nullable=False),  # of a growing batch: that of its second step
    sa.Column("max_failures", sa.Integer, nullable=False),
    sa.Column("valid_s", sa.Integer, nullable=False),
    sa.Column("run", sa.Integer, nullable=False),  # grows with each retry: only its failures count
    sa.Column("note", sa.String(256), nullable=False),  # why it was stopped
    sa.Column("overlaps", sa.LargeBinary, nullable=False),  # other commands that were open for the same rigs
    sa.Column("is_growing", sa.Boolean, nullable=False, server_default=sa.false()),
    sqlite_autoincrement=True,
)

command_targets = sa.Table(
    "command_targets",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("command_id", sa.Integer, sa.ForeignKey("commands.id", ondelete="CASCADE"), nullable=False),
    sa.Column("position", sa.Integer, nullable=False),
    # Not a foreign key: a command's page names its rigs after they were removed.
    sa.Column("rig_id", sa.Integer, nullable=False),
    sa.Column("name", sa.String(64), nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("result", sa.String(512)),
    sa.Column("changed_at", Moment, nullable=False),
    sa.Column("run", sa.Integer, nullable=False),
    # The id that the sentry knows. None: not released, or another command has taken it over.
    sa.Column("key", sa.String(32), unique=True),
    sa.Column("due_at", Moment),  # when its time is over: to begin, and then to have a result
    sa.Column("delivered_at", Moment),
    sa.Column("boot_id", sa.String(64)),  # the boot in which it began
    sa.Column("silent", sa.Boolean, nullable=False),  # ended by the clock, without a word of the rig
    sa.Column("replaced_by", sa.Integer),
    sa.Index("ix_command_targets_command", "command_id", "position"),
    sa.Index("ix_command_targets_rig", "rig_id", "state"),
    sa.Index("ix_command_targets_due", "state", "due_at"),
    sqlite_autoincrement=True,
)

command_results = sa.Table(
    "command_results",
    metadata,
    sa.Column("target_id", sa.Integer, sa.ForeignKey("command_targets.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("findings", sa.LargeBinary),
    sa.Column("logs", sa.LargeBinary),
)
