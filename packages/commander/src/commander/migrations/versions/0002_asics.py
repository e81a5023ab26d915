"""ASICs and their logs, in tables of their own; tokens of the sites that register them."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "asic_rigs",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("name_key", sa.String(256), nullable=False, unique=True),
        sa.Column("token_hash", sa.LargeBinary(32), nullable=False, unique=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("specs", sa.LargeBinary),
        sa.Column("last_taken_at", sa.BigInteger),
        sa.Column("site_id", sa.Integer),
        sa.Column("site_key", sa.String(64)),
        sa.UniqueConstraint("site_id", "site_key"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "asic_logs",
        sa.Column("bucket", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("rig_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("taken_at_us", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("codec", sa.SmallInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
        postgresql_partition_by="RANGE (bucket)",
    )
    op.create_table(
        "site_tokens",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(64), nullable=False, unique=True),
        sa.Column("key_hash", sa.LargeBinary(32), nullable=False, unique=True),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("last_used_at", sa.BigInteger),
        sqlite_autoincrement=True,
    )
