"""The password, sessions, API keys and site tokens in the database: hashes only."""

from typing import Any

import sqlalchemy as sa

from commander.db import Moment, metadata

secrets = sa.Table(
    "secrets",
    metadata,
    sa.Column("name", sa.String(32), primary_key=True),
    sa.Column("hash", sa.String(255), nullable=False),
    sa.Column("changed_at", Moment, nullable=False),
)

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("cookie_hash", sa.LargeBinary(32), nullable=False, unique=True),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("last_seen_at", Moment, nullable=False),
    sa.Column("address", sa.String(64), nullable=False),
    sa.Column("user_agent", sa.String(256), nullable=False),
    sqlite_autoincrement=True,
)


def _keys(name: str, *more: sa.Column[Any]) -> sa.Table:
    return sa.Table(
        name,
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(64), nullable=False, unique=True),
        sa.Column("key_hash", sa.LargeBinary(32), nullable=False, unique=True),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("last_used_at", Moment),
        *more,
        sqlite_autoincrement=True,
    )


api_keys = _keys(
    "api_keys",
    sa.Column("role", sa.String(16), nullable=False, server_default="own"),
    sa.Column("expires_at", Moment),
)
site_tokens = _keys("site_tokens")
