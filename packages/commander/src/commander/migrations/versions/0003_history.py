"""History of logs for years. Every hour that already has logs is due to be rolled up."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    for prefix in ("cpu_gpu", "asic"):
        for tier in ("minutes", "ten_minutes", "hours"):
            _by_time(f"{prefix}_{tier}", sa.Column("codec", sa.SmallInteger, nullable=False))
        _by_time(f"{prefix}_rolled_hours")
    _farm()
    _bookkeeping()
    for kind, logs in (("cpu-gpu", "cpu_gpu_logs"), ("asic", "asic_logs")):
        op.execute(
            "INSERT INTO due_hours (kind, rig_id, hour_s, marks) "  # noqa: S608 - own names
            f"SELECT DISTINCT '{kind}', rig_id, bucket / 6 * 3600, 1 FROM {logs}"
        )


def _by_time(name: str, *columns: sa.Column[int]) -> None:
    op.create_table(
        name,
        sa.Column("start_s", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("rig_id", sa.Integer, primary_key=True, autoincrement=False),
        *columns,
        sa.Column("body", sa.LargeBinary, nullable=False),
        postgresql_partition_by="RANGE (start_s)",
    )


def _farm() -> None:
    op.create_table(
        "farm_chunks",
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("step_s", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("start_s", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("codec", sa.SmallInteger, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "farm_samples",
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("minute_s", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )


def _bookkeeping() -> None:
    op.create_table(
        "due_hours",
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("rig_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("hour_s", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("marks", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "horizons",
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("tier", sa.String(16), primary_key=True),
        sa.Column("until_s", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "forgotten_rigs",
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("rig_id", sa.Integer, primary_key=True, autoincrement=False),
    )
    op.create_table(
        "rig_events",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("rig_id", sa.Integer, nullable=False),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("event", sa.String(32), nullable=False),
        sa.Column("text", sa.String(256), nullable=False),
    )
    op.create_index("ix_rig_events_rig", "rig_events", ["kind", "rig_id", "at"])
    op.create_table(
        "log_dictionaries",
        sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("made_at", sa.BigInteger, nullable=False),
        sa.Column("ratio", sa.Float, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
