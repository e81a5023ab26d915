"""Incidents in the database, and the conditions of rigs that they are made of."""

import sqlalchemy as sa

from commander.db import Moment, metadata

incidents = sa.Table(
    "incidents",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("rule", sa.String(128), nullable=False),
    sa.Column("severity", sa.String(16), nullable=False),
    sa.Column("title", sa.String(256), nullable=False),
    sa.Column("opened_at", Moment, nullable=False),
    sa.Column("closed_at", Moment, index=True),
    sa.Column("acknowledged_at", Moment),
    sa.Column("acknowledged_by", sa.String(128)),
    sa.Column("muted_until", Moment),
    sa.Column("in_common", sa.LargeBinary),  # `InCommon` as JSON
    sa.Column("step", sa.Integer, nullable=False),  # the number of messages so far
    sa.Column("joined_at", Moment, nullable=False),  # when the newest condition joined
    sa.Column("message_at", Moment),  # when the message about its opening or growth is due; None: there is no news
    sa.Column("sent_at", Moment),  # when the newest message was made
    sa.Column("remind_at", Moment),
    sa.Column("hold_s", sa.Float, nullable=False),  # how long it stays open after its last condition
    sa.Column("close_at", Moment),  # when it closes, if nothing begins again
    sqlite_autoincrement=True,
)

conditions = sa.Table(
    "conditions",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("kind", sa.String(16), nullable=False),  # of the rig; "commander" for the commander itself
    # Not a foreign key: an incident names its rigs after they were removed.
    sa.Column("rig_id", sa.Integer, nullable=False),
    sa.Column("name", sa.String(64), nullable=False),
    sa.Column("rule", sa.String(128), nullable=False),
    sa.Column("device", sa.String(64), nullable=False),  # empty: the whole rig
    sa.Column("severity", sa.String(16), nullable=False),
    sa.Column("phase", sa.String(16), nullable=False),
    sa.Column("value", sa.String(128), nullable=False),
    sa.Column("began_at", Moment, nullable=False),
    sa.Column("due_at", Moment),  # when the phase ends by itself
    sa.Column("ended_at", Moment, index=True),
    sa.Column("incident_id", sa.Integer, sa.ForeignKey("incidents.id", ondelete="CASCADE"), index=True),
    sa.Index("ix_conditions_rig", "kind", "rig_id", "began_at"),
    sa.Index(
        "uq_conditions_open",
        *("kind", "rig_id", "rule", "device"),
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    ),
    sqlite_autoincrement=True,
)
