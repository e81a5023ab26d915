"""The usual values of each rig, as alert rules need them."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.create_table(
        "usual_values",
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("rig_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("learnt_at", sa.BigInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_index("ix_usual_values_learnt_at", "usual_values", ["learnt_at"])
