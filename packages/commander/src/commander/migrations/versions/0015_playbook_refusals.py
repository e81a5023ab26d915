"""The reasons for which sentries refuse their playbooks."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.create_table(
        "playbook_refusals",
        sa.Column("rig_id", sa.Integer, sa.ForeignKey("cpu_gpu_rigs.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("reason", sa.String(2000), nullable=False),
    )
