"""Saved views in the database. `query` is the page's query string: selection, filter, order and columns."""

import sqlalchemy as sa

from commander.db import metadata

saved_views = sa.Table(
    "saved_views",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("name", sa.String(64), nullable=False),
    sa.Column("name_key", sa.String(256), nullable=False),
    sa.Column("query", sa.Text, nullable=False),
    sa.UniqueConstraint("kind", "name_key"),
    sqlite_autoincrement=True,
)
