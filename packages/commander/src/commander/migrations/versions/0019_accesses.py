"""Accesses: the owner's, which has the commander's own password, and to it the sessions that there are."""

import time

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    accesses = op.create_table(
        "accesses",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("name_key", sa.String(192), nullable=False, unique=True),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("password_hash", sa.String(255)),
        sa.Column("totp_sealed", sa.LargeBinary),
        sa.Column("totp_step", sa.BigInteger),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sqlite_autoincrement=True,
    )
    owner = {"name": "owner", "name_key": "owner", "role": "own", "created_at": time.time_ns() // 1000}
    op.bulk_insert(accesses, [owner])  # the first id is 1, in both databases
    op.create_table(
        "recovery_codes",
        sa.Column("access_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("code_hash", sa.LargeBinary(32), primary_key=True),
    )
    op.add_column("sessions", sa.Column("access_id", sa.Integer, nullable=False, server_default="1"))
    op.add_column("sessions", sa.Column("confirmed_at", sa.BigInteger))
