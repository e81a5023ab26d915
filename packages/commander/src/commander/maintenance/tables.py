"""Maintenance in the database."""

import sqlalchemy as sa

from commander.db import Moment, metadata

maintenance = sa.Table(
    "maintenance",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("selection", sa.Text, nullable=False),
    sa.Column("since", Moment, nullable=False),
    sa.Column("until", Moment, nullable=False, index=True),
    sa.Column("reason", sa.String(256), nullable=False),
    sa.Column("made_by", sa.String(128), nullable=False),
    sqlite_autoincrement=True,
)
