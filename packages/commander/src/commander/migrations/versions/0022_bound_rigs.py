"""Bound rigs: the token of a CPU/GPU rig counts only with the key of its sentry."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    op.add_column("cpu_gpu_rigs", sa.Column("sentry_key_hash", sa.LargeBinary(32)))
