"""Addresses in the database."""

import sqlalchemy as sa

from commander.db import Moment, metadata

addresses = sa.Table(
    "addresses",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("name", sa.String(64), nullable=False),
    sa.Column("name_key", sa.String(256), nullable=False),
    sa.Column("coin", sa.String(64)),
    sa.Column("address", sa.String(256), nullable=False),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("changed_at", Moment, nullable=False),
    sa.UniqueConstraint("kind", "name_key"),
    sqlite_autoincrement=True,
)
