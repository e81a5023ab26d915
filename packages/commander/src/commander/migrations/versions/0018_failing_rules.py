"""Allowed pools of ASICs, rules that fail, rigs that are given up, and an index for conditions that ended."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"

GAVE_UP = "gave_up"


def upgrade() -> None:
    op.add_column("alert_rules", sa.Column("allowed", sa.Text, nullable=False, server_default=""))
    op.add_column("alert_rules", sa.Column("failing_since", sa.BigInteger))
    op.create_index("ix_conditions_ended_at", "conditions", ["ended_at"])
    op.add_column("watchdog_events", sa.Column("is_given_up", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_index(
        "ix_watchdog_events_given_up",
        "watchdog_events",
        ["rig_id"],
        sqlite_where=sa.text("is_given_up"),
        postgresql_where=sa.text("is_given_up"),
    )
    _mark_given_up()


def _mark_given_up() -> None:
    """Marks the newest event of each rig if it says that the watchdog gave up."""
    events = sa.table(
        "watchdog_events",
        *(sa.column(name) for name in ("rig_id", "event_id", "at", "body", "is_given_up")),
    )
    connection = op.get_bind()
    rows = connection.execute(sa.select(events.c.rig_id, events.c.event_id, events.c.body).order_by(events.c.at))
    newest = {rig_id: (event_id, body) for rig_id, event_id, body in rows}
    for rig_id, (event_id, body) in newest.items():
        if json.loads(bytes(body)).get("act") == GAVE_UP:
            is_it = sa.and_(events.c.rig_id == rig_id, events.c.event_id == event_id)
            connection.execute(sa.update(events).where(is_it).values(is_given_up=True))
