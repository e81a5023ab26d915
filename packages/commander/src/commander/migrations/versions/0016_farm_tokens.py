"""Farm tokens, rigs that wait for approval, and the machines of rigs."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.create_table(
        "farm_tokens",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("token_hash", sa.LargeBinary(32), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("name_pattern", sa.String(64), nullable=False),
        sa.Column("tags", sa.Text, nullable=False),
        sa.Column("approve_by_hand", sa.Boolean, nullable=False),
        sa.Column("uses", sa.Integer, nullable=False),
        sa.Column("used", sa.Integer, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
        sa.Column("revoked_at", sa.BigInteger),
        sa.Column("made_by", sa.String(128), nullable=False),
        sa.UniqueConstraint("token_hash", name="uq_farm_tokens_token_hash"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "unapproved_rigs",
        sa.Column("rig_id", sa.Integer, sa.ForeignKey("cpu_gpu_rigs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("copy_of", sa.Integer),
    )
    op.create_index("ix_unapproved_rigs_copy_of", "unapproved_rigs", ["copy_of"])
    op.create_table(
        "rig_identities",
        sa.Column("key_hash", sa.LargeBinary(32), primary_key=True),
        sa.Column("rig_id", sa.Integer, sa.ForeignKey("cpu_gpu_rigs.id", ondelete="CASCADE"), nullable=False),
        sa.UniqueConstraint("rig_id", name="uq_rig_identities_rig_id"),
    )
    op.create_table(
        "rig_machines",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("rig_id", sa.Integer, sa.ForeignKey("cpu_gpu_rigs.id", ondelete="CASCADE"), nullable=False),
        sa.Column("macs", sa.Text, nullable=False),
        sa.Column("machine_id", sa.String(64)),
        sa.Column("board_serial", sa.String(64)),
        sa.Column("asked_at", sa.BigInteger, nullable=False),
        sa.Column("seen_at", sa.BigInteger, nullable=False),
        sa.Column("is_accepted", sa.Boolean, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_rig_machines_rig_id", "rig_machines", ["rig_id"])
