"""Identities of sentries and the machines that have sent them, in the database."""

import sqlalchemy as sa

from commander.db import Moment, metadata

rig_identities = sa.Table(
    "rig_identities",
    metadata,
    sa.Column("key_hash", sa.LargeBinary(32), primary_key=True),
    sa.Column("rig_id", sa.Integer, sa.ForeignKey("cpu_gpu_rigs.id", ondelete="CASCADE"), nullable=False, unique=True),
)

rig_machines = sa.Table(
    "rig_machines",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("rig_id", sa.Integer, sa.ForeignKey("cpu_gpu_rigs.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("macs", sa.Text, nullable=False),  # with blanks between them
    sa.Column("machine_id", sa.String(64)),
    sa.Column("board_serial", sa.String(64)),
    sa.Column("asked_at", Moment, nullable=False),
    sa.Column("seen_at", Moment, nullable=False),
    sa.Column("is_accepted", sa.Boolean, nullable=False),
    sqlite_autoincrement=True,
)
