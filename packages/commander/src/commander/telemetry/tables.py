"""Logs as they were reported."""

import sqlalchemy as sa

from commander.db import metadata

BUCKET_S = 600

# The bucket before the rig keeps one moment's inserts together on few pages, and one rig's day a few seeks apart.
cpu_gpu_logs = sa.Table(
    "cpu_gpu_logs",
    metadata,
    sa.Column("bucket", sa.Integer, primary_key=True, autoincrement=False),  # taken_at_us // BUCKET_S
    sa.Column("rig_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("taken_at_us", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("codec", sa.SmallInteger, nullable=False),  # how `body` is packed, see telemetry/codec.py
    sa.Column("body", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)


def bucket_of(taken_at_us: int) -> int:
    return taken_at_us // (BUCKET_S * 1_000_000)
