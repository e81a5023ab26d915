"""The tables of playbooks, their status and output."""

import sqlalchemy as sa

from commander.db import Moment, metadata

playbooks = sa.Table(
    "playbooks",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("rig_id", sa.Integer, sa.ForeignKey("cpu_gpu_rigs.id"), nullable=False, index=True),
    sa.Column("position", sa.Integer, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("recipe", sa.LargeBinary, nullable=False),
    sa.Column("wire", sa.LargeBinary, nullable=False),  # what its rig's sentry is given, rendered when it changed
    sa.Column("changed_at", Moment, nullable=False),
    # What the spec names, so that the database itself keeps it from being removed.
    sa.Column("software_id", sa.Integer, sa.ForeignKey("mining_software.id"), nullable=False),
    sa.Column("pool_id", sa.Integer, sa.ForeignKey("addresses.id")),
    sa.Column("wallet_id", sa.Integer, sa.ForeignKey("addresses.id")),
    sa.Column("pool2_id", sa.Integer, sa.ForeignKey("addresses.id")),
    sa.Column("wallet2_id", sa.Integer, sa.ForeignKey("addresses.id")),
    sqlite_autoincrement=True,
)

playbook_revisions = sa.Table(
    "playbook_revisions",
    metadata,
    sa.Column("playbook_id", sa.Integer, sa.ForeignKey("playbooks.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("revision", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("changed_at", Moment, nullable=False),
    sa.Column("author", sa.String(128), nullable=False),
    sa.Column("what", sa.String(256), nullable=False),
    sa.Column("recipe", sa.LargeBinary, nullable=False),
    sa.Column("wire", sa.LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

playbook_status = sa.Table(
    "playbook_status",
    metadata,
    sa.Column("playbook_id", sa.Integer, sa.ForeignKey("playbooks.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("status", sa.LargeBinary, nullable=False),
    sa.Column("told_at", Moment, nullable=False),
)

# Why a rig's sentry does not take what its inbox brings now.
playbook_refusals = sa.Table(
    "playbook_refusals",
    metadata,
    sa.Column("rig_id", sa.Integer, sa.ForeignKey("cpu_gpu_rigs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("reason", sa.String(2000), nullable=False),
)

# How far each run's lines have come: a batch that is sent again adds nothing.
playbook_runs = sa.Table(
    "playbook_runs",
    metadata,
    sa.Column("playbook_id", sa.Integer, sa.ForeignKey("playbooks.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("run", sa.String(64), primary_key=True),
    sa.Column("next_line", sa.BigInteger, nullable=False),
    sa.Column("told_at", Moment, nullable=False),
    sqlite_with_rowid=False,
)

playbook_output = sa.Table(
    "playbook_output",
    metadata,
    sa.Column("playbook_id", sa.Integer, sa.ForeignKey("playbooks.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),  # in the order in which they came
    sa.Column("run", sa.String(64), nullable=False),
    sa.Column("line", sa.BigInteger, nullable=False),
    sa.Column("text", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)
