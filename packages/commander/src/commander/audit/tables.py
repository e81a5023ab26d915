"""The audit log in the database: rows are added, and removed when they are too old; none is changed."""

import sqlalchemy as sa

from commander.db import Moment, metadata

audit_log = sa.Table(
    "audit_log",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("at", Moment, nullable=False, index=True),
    sa.Column("who", sa.String(128), nullable=False),
    sa.Column("address", sa.String(64)),
    sa.Column("what", sa.String(64), nullable=False),
    sa.Column("subject", sa.String(256), nullable=False),
    sa.Column("detail", sa.String(2000), nullable=False),
    sqlite_autoincrement=True,
)
