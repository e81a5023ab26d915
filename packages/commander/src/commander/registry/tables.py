"""Rigs in the database."""

from typing import Any

import sqlalchemy as sa

from commander.db import Moment, metadata
from commander.registry.kinds import RigKind


def _rigs(name: str, *more: sa.Column[Any] | sa.UniqueConstraint) -> sa.Table:
    return sa.Table(
        name,
        metadata,
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("name_key", sa.String(256), nullable=False, unique=True),
        sa.Column("token_hash", sa.LargeBinary(32), nullable=False, unique=True),
        sa.Column("created_at", Moment, nullable=False),
        sa.Column("specs", sa.LargeBinary),
        # The rig's newest log when it went silent or the commander stopped: where to find it again at the next start.
        sa.Column("last_taken_at", Moment),
        *more,
        sqlite_autoincrement=True,  # an id is never given twice: channels, pages and history speak of it
    )


cpu_gpu_rigs = _rigs(
    "cpu_gpu_rigs",
    # The hash of the key of the machine to which the rig is bound: its token counts only with this key.
    sa.Column("sentry_key_hash", sa.LargeBinary(32)),
)
asic_rigs = _rigs(
    "asic_rigs",
    # Which site registered it, and as what: the same again is the same rig. A site's id is never given twice, so that
    # it may stay here when the site's token is revoked.
    sa.Column("site_id", sa.Integer),
    sa.Column("site_key", sa.String(64)),
    sa.UniqueConstraint("site_id", "site_key"),
)
RIGS = {RigKind.CPU_GPU: cpu_gpu_rigs, RigKind.ASIC: asic_rigs}

# The rigs that wait for approval, and the rig of which each is a copy, if it is one.
unapproved_rigs = sa.Table(
    "unapproved_rigs",
    metadata,
    sa.Column("rig_id", sa.Integer, sa.ForeignKey("cpu_gpu_rigs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("since", Moment, nullable=False),
    sa.Column("copy_of", sa.Integer, index=True),
)

removed_tokens = sa.Table(
    "removed_tokens",
    metadata,
    sa.Column("token_hash", sa.LargeBinary(32), primary_key=True),
    sa.Column("removed_at", Moment, nullable=False),
)
