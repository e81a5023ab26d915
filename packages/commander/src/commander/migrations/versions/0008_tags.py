"""Tags of rigs."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    for name, rigs in (("cpu_gpu_rig_tags", "cpu_gpu_rigs"), ("asic_rig_tags", "asic_rigs")):
        op.create_table(
            name,
            sa.Column("rig_id", sa.Integer, sa.ForeignKey(f"{rigs}.id", ondelete="CASCADE"), primary_key=True),
            sa.Column("tag_key", sa.String(192), primary_key=True),
            sa.Column("tag", sa.String(48), nullable=False),
            sqlite_with_rowid=False,
        )
        op.create_index(f"ix_{name}_tag_key", name, ["tag_key"])
