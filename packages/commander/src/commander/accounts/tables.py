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
    sa.Column("access_id", sa.Integer, nullable=False, server_default="1"),
    sa.Column("confirmed_at", Moment),  # when the person typed the password, or a code, for the last time
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

accesses = sa.Table(
    "accesses",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name", sa.String(64), nullable=False),
    sa.Column("name_key", sa.String(192), nullable=False, unique=True),
    sa.Column("role", sa.String(16), nullable=False),
    sa.Column("password_hash", sa.String(255)),  # NULL: the owner's, which is in `secrets`
    sa.Column("totp_sealed", sa.LargeBinary),
    sa.Column("totp_step", sa.BigInteger),  # the newest time step whose code was used
    sa.Column("created_at", Moment, nullable=False),
    sqlite_autoincrement=True,
)

recovery_codes = sa.Table(
    "recovery_codes",
    metadata,
    sa.Column("access_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("code_hash", sa.LargeBinary(32), primary_key=True),
)
