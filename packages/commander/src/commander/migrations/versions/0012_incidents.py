"""Alert rules, incidents with their conditions, and maintenance."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.create_table(
        "alert_rules",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("shipped", sa.String(64), unique=True),
        sa.Column("is_changed", sa.Boolean, nullable=False),
        sa.Column("rule", sa.String(128), nullable=False),
        sa.Column("sensor", sa.String(16)),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("selection", sa.Text, nullable=False),
        sa.Column("warning", sa.Float),
        sa.Column("critical", sa.Float),
        sa.Column("severity", sa.String(16), nullable=False),
        sa.Column("for_s", sa.Float, nullable=False),
        sa.Column("clear_for_s", sa.Float, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "maintenance",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("selection", sa.Text, nullable=False),
        sa.Column("since", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.String(256), nullable=False),
        sa.Column("made_by", sa.String(128), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_maintenance_until", "maintenance", ["until"])
    op.create_table(
        "incidents",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("rule", sa.String(128), nullable=False),
        sa.Column("severity", sa.String(16), nullable=False),
        sa.Column("title", sa.String(256), nullable=False),
        sa.Column("opened_at", sa.BigInteger, nullable=False),
        sa.Column("closed_at", sa.BigInteger),
        sa.Column("acknowledged_at", sa.BigInteger),
        sa.Column("acknowledged_by", sa.String(128)),
        sa.Column("muted_until", sa.BigInteger),
        sa.Column("in_common", sa.LargeBinary),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("joined_at", sa.BigInteger, nullable=False),
        sa.Column("message_at", sa.BigInteger),
        sa.Column("sent_at", sa.BigInteger),
        sa.Column("remind_at", sa.BigInteger),
        sa.Column("hold_s", sa.Float, nullable=False),
        sa.Column("close_at", sa.BigInteger),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_incidents_closed_at", "incidents", ["closed_at"])
    _create_conditions()


def _create_conditions() -> None:
    op.create_table(
        "conditions",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("rig_id", sa.Integer, nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("rule", sa.String(128), nullable=False),
        sa.Column("device", sa.String(64), nullable=False),
        sa.Column("severity", sa.String(16), nullable=False),
        sa.Column("phase", sa.String(16), nullable=False),
        sa.Column("value", sa.String(128), nullable=False),
        sa.Column("began_at", sa.BigInteger, nullable=False),
        sa.Column("due_at", sa.BigInteger),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("incident_id", sa.Integer, sa.ForeignKey("incidents.id", ondelete="CASCADE")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_conditions_incident_id", "conditions", ["incident_id"])
    op.create_index("ix_conditions_rig", "conditions", ["kind", "rig_id", "began_at"])
    op.create_index(
        "uq_conditions_open",
        "conditions",
        ["kind", "rig_id", "rule", "device"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
