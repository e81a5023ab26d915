"""Saved views and links to them in the database. `query` is the page's query string: selection, order and columns."""

import sqlalchemy as sa

from commander.db import Moment, metadata

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

view_links = sa.Table(
    "view_links",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("view_id", sa.Integer, sa.ForeignKey("saved_views.id", ondelete="CASCADE"), nullable=False, index=True),
    sa.Column("token_hash", sa.LargeBinary(32), nullable=False, unique=True),
    sa.Column("created_at", Moment, nullable=False),
    sa.Column("expires_at", Moment, nullable=False),
    sa.Column("last_used_at", Moment),
    sqlite_autoincrement=True,
)
