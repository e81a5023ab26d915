"""Mining software in the database."""

import sqlalchemy as sa

from commander.db import Moment, metadata

mining_software = sa.Table(
    "mining_software",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("name_key", sa.String(256), nullable=False),
    sa.Column("version", sa.String(32), nullable=False),
    sa.Column("about", sa.LargeBinary, nullable=False),
    # Entries of the shipped catalogue have their key; they follow its corrections until somebody edits them.
    sa.Column("shipped_key", sa.String(128), unique=True),
    sa.Column("edited", sa.Boolean, nullable=False),
    sa.Column("changed_at", Moment, nullable=False),
    sa.UniqueConstraint("name_key", "version"),
    sqlite_autoincrement=True,
)

removed_catalogue = sa.Table(
    "removed_catalogue",
    metadata,
    sa.Column("shipped_key", sa.String(128), primary_key=True),
    sa.Column("removed_at", Moment, nullable=False),
)
