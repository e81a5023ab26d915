"""Commands with their targets and results."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "commands",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("action", sa.String(32), nullable=False),
        sa.Column("arguments", sa.LargeBinary, nullable=False),
        sa.Column("reason", sa.String(256), nullable=False),
        sa.Column("selection", sa.Text),
        sa.Column("made_at", sa.BigInteger, nullable=False),
        sa.Column("made_by", sa.String(128), nullable=False),
        sa.Column("state", sa.String(16), nullable=False, index=True),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("max_failures", sa.Integer, nullable=False),
        sa.Column("valid_s", sa.Integer, nullable=False),
        sa.Column("run", sa.Integer, nullable=False),
        sa.Column("note", sa.String(256), nullable=False),
        sa.Column("overlaps", sa.LargeBinary, nullable=False),
        sqlite_autoincrement=True,
    )
    _targets()
    op.create_table(
        "command_results",
        sa.Column("target_id", sa.Integer, sa.ForeignKey("command_targets.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("findings", sa.LargeBinary),
        sa.Column("logs", sa.LargeBinary),
    )


def _targets() -> None:
    op.create_table(
        "command_targets",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("command_id", sa.Integer, sa.ForeignKey("commands.id", ondelete="CASCADE"), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("rig_id", sa.Integer, nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("result", sa.String(512)),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
        sa.Column("run", sa.Integer, nullable=False),
        sa.Column("key", sa.String(32), unique=True),
        sa.Column("due_at", sa.BigInteger),
        sa.Column("delivered_at", sa.BigInteger),
        sa.Column("boot_id", sa.String(64)),
        sa.Column("silent", sa.Boolean, nullable=False),
        sa.Column("replaced_by", sa.Integer),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_command_targets_command", "command_targets", ["command_id", "position"])
    op.create_index("ix_command_targets_rig", "command_targets", ["rig_id", "state"])
    op.create_index("ix_command_targets_due", "command_targets", ["state", "due_at"])
