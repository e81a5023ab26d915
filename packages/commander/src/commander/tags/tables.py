"""Tags in the database. `tag_key` is the tag without regard to case: a rig has it once."""

import sqlalchemy as sa

from commander.db import metadata
from commander.registry.kinds import RigKind


def _tags(name: str, rigs: str) -> sa.Table:
    return sa.Table(
        name,
        metadata,
        sa.Column("rig_id", sa.Integer, sa.ForeignKey(f"{rigs}.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("tag_key", sa.String(192), primary_key=True),
        sa.Column("tag", sa.String(48), nullable=False),
        sa.Index(f"ix_{name}_tag_key", "tag_key"),
        sqlite_with_rowid=False,
    )


cpu_gpu_rig_tags = _tags("cpu_gpu_rig_tags", "cpu_gpu_rigs")
asic_rig_tags = _tags("asic_rig_tags", "asic_rigs")
TAGS = {RigKind.CPU_GPU: cpu_gpu_rig_tags, RigKind.ASIC: asic_rig_tags}
