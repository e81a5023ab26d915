"""Addresses, mining software, playbooks, their status and their output."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    _addresses()
    _software()
    _playbooks()
    _status_tables()


def _addresses() -> None:
    op.create_table(
        "addresses",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("name_key", sa.String(256), nullable=False),
        sa.Column("coin", sa.String(64)),
        sa.Column("address", sa.String(256), nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("kind", "name_key"),
        sqlite_autoincrement=True,
    )


def _software() -> None:
    op.create_table(
        "mining_software",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name_key", sa.String(256), nullable=False),
        sa.Column("version", sa.String(32), nullable=False),
        sa.Column("about", sa.LargeBinary, nullable=False),
        sa.Column("shipped_key", sa.String(128), unique=True),
        sa.Column("edited", sa.Boolean, nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("name_key", "version"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "removed_catalogue",
        sa.Column("shipped_key", sa.String(128), primary_key=True),
        sa.Column("removed_at", sa.BigInteger, nullable=False),
    )


def _playbooks() -> None:
    op.create_table(
        "playbooks",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("rig_id", sa.Integer, sa.ForeignKey("cpu_gpu_rigs.id"), nullable=False, index=True),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("recipe", sa.LargeBinary, nullable=False),
        sa.Column("wire", sa.LargeBinary, nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
        sa.Column("software_id", sa.Integer, sa.ForeignKey("mining_software.id"), nullable=False),
        *[
            sa.Column(name, sa.Integer, sa.ForeignKey("addresses.id"))
            for name in ("pool_id", "wallet_id", "pool2_id", "wallet2_id")
        ],
        sqlite_autoincrement=True,
    )
    op.create_table(
        "playbook_revisions",
        sa.Column("playbook_id", sa.Integer, sa.ForeignKey("playbooks.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("revision", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
        sa.Column("author", sa.String(128), nullable=False),
        sa.Column("what", sa.String(256), nullable=False),
        sa.Column("recipe", sa.LargeBinary, nullable=False),
        sa.Column("wire", sa.LargeBinary, nullable=False),
        sqlite_with_rowid=False,
    )


def _status_tables() -> None:
    op.create_table(
        "playbook_status",
        sa.Column("playbook_id", sa.Integer, sa.ForeignKey("playbooks.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("status", sa.LargeBinary, nullable=False),
        sa.Column("told_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "playbook_runs",
        sa.Column("playbook_id", sa.Integer, sa.ForeignKey("playbooks.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("run", sa.String(64), primary_key=True),
        sa.Column("next_line", sa.BigInteger, nullable=False),
        sa.Column("told_at", sa.BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "playbook_output",
        sa.Column("playbook_id", sa.Integer, sa.ForeignKey("playbooks.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("run", sa.String(64), nullable=False),
        sa.Column("line", sa.BigInteger, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sqlite_with_rowid=False,
    )
