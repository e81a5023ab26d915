"""Logs as they were reported."""

import sqlalchemy as sa

from commander.db import Moment, metadata
from commander.partitions import Partitioning
from commander.registry.kinds import RigKind

HOUR_S = 3_600

BUCKET_S = 600
PARTS = Partitioning("bucket", unit_us=BUCKET_S * 1_000_000, days=1)


def _logs(name: str) -> sa.Table:
    # The bucket before the rig keeps one moment's inserts together on few pages, and one rig's day a few seeks apart.
    return sa.Table(
        name,
        metadata,
        sa.Column("bucket", sa.Integer, primary_key=True, autoincrement=False),  # taken_at_us // BUCKET_S
        sa.Column("rig_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("taken_at_us", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("codec", sa.SmallInteger, nullable=False),  # how `body` is packed, see codec.py
        sa.Column("body", sa.LargeBinary, nullable=False),
        info=PARTS.info,
        sqlite_with_rowid=False,
    )


LOGS = {RigKind.CPU_GPU: _logs("cpu_gpu_logs"), RigKind.ASIC: _logs("asic_logs")}


# With what logs are packed; a row names its dictionary in its body. Never deleted: they are few and small.
log_dictionaries = sa.Table(
    "log_dictionaries",
    metadata,
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("made_at", Moment, nullable=False),
    sa.Column("ratio", sa.Float, nullable=False),  # packed to plain bytes, of the logs that it was made from
    sa.Column("body", sa.LargeBinary, nullable=False),
)


def bucket_of(taken_at_us: int) -> int:
    return taken_at_us // (BUCKET_S * 1_000_000)


dead_letters = sa.Table(
    "dead_letters",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("put_aside_at", Moment, nullable=False),
    sa.Column("subject", sa.String(255), nullable=False),
    sa.Column("reason", sa.String(500), nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sqlite_autoincrement=True,
)

# An hour of a rig that has logs which are not rolled up. `marks` grows with each further log that is late.
due_hours = sa.Table(
    "due_hours",
    metadata,
    sa.Column("kind", sa.String(16), primary_key=True),
    sa.Column("rig_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("hour_s", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("marks", sa.BigInteger, nullable=False),
)
