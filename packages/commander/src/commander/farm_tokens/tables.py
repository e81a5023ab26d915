"""Farm tokens in the database: hashes only."""

import sqlalchemy as sa

from commander.db import Moment, metadata

farm_tokens = sa.Table(
    "farm_tokens",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("token_hash", sa.LargeBinary(32), nullable=False, unique=True),
    sa.Column("name", sa.String(64), nullable=False),
    sa.Column("name_pattern", sa.String(64), nullable=False),
    sa.Column("tags", sa.Text, nullable=False),  # JSON
    sa.Column("approve_by_hand", sa.Boolean, nullable=False),
    sa.Column("uses", sa.Integer, nullable=False),
    sa.Column("used", sa.Integer, nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("expires_at", Moment, nullable=False),
    sa.Column("revoked_at", Moment),
    sa.Column("made_by", sa.String(128), nullable=False),
    sqlite_autoincrement=True,
)
