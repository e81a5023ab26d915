"""The role and the end of each API key. Keys that exist may do everything, as before."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("role", sa.String(16), nullable=False, server_default="own"))
    op.add_column("api_keys", sa.Column("expires_at", sa.BigInteger))
