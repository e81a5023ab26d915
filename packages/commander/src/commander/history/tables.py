"""Tables of the history, and of the hours that are still to be rolled up."""

from typing import NamedTuple

import sqlalchemy as sa

from commander.db import Moment, metadata
from commander.partitions import Partitioning
from commander.raw_logs.tables import HOUR_S
from commander.registry.kinds import RigKind

DAY_S = 86_400


class Tier(NamedTuple):
    """A row holds the buckets of `chunk_s` of one rig, one after the other in columns."""

    name: str
    step_s: int
    chunk_s: int
    days_a_part: int

    def chunk_of(self, moment_s: float) -> int:
        """Returns the start of the chunk that has this moment."""
        return int(moment_s // self.chunk_s) * self.chunk_s


MINUTES = Tier("minutes", 60, HOUR_S, 1)
TEN_MINUTES = Tier("ten_minutes", 600, DAY_S, 7)
HOURS = Tier("hours", HOUR_S, 7 * DAY_S, 364)
TIERS = (MINUTES, TEN_MINUTES, HOURS)
RAW = "raw"

_PREFIXES = {RigKind.CPU_GPU: "cpu_gpu", RigKind.ASIC: "asic"}


def _by_time(name: str, *columns: sa.Column[object], days: int) -> sa.Table:
    # With a rowid: SQLite packs rows of some kilobytes much closer then. PostgreSQL keeps `days` in a part.
    return sa.Table(
        name,
        metadata,
        sa.Column("start_s", sa.BigInteger, primary_key=True, autoincrement=False),  # seconds since 1970
        sa.Column("rig_id", sa.Integer, primary_key=True, autoincrement=False),
        *columns,
        sa.Column("body", sa.LargeBinary, nullable=False),
        info=Partitioning("start_s", unit_us=1_000_000, days=days).info,
    )


def _codec() -> sa.Column[object]:
    return sa.Column("codec", sa.SmallInteger, nullable=False)  # how `body` is packed, see packing.py


CHUNKS = {
    kind: {tier: _by_time(f"{prefix}_{tier.name}", _codec(), days=tier.days_a_part) for tier in TIERS}
    for kind, prefix in _PREFIXES.items()
}
# The times of the logs that an hour was rolled up from, as long as one of them may be sent again.
ROLLED = {kind: _by_time(f"{prefix}_rolled_hours", days=1) for kind, prefix in _PREFIXES.items()}

farm_chunks = sa.Table(
    "farm_chunks",
    metadata,
    sa.Column("kind", sa.String(16), primary_key=True),
    sa.Column("step_s", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("start_s", sa.BigInteger, primary_key=True, autoincrement=False),
    _codec(),
    sa.Column("body", sa.LargeBinary, nullable=False),
)

# The farm's totals of a minute, as long as its hour is not rolled up.
farm_samples = sa.Table(
    "farm_samples",
    metadata,
    sa.Column("kind", sa.String(16), primary_key=True),
    sa.Column("minute_s", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
)

# What is before `until_s` was deleted, of raw logs or of a tier.
horizons = sa.Table(
    "horizons",
    metadata,
    sa.Column("kind", sa.String(16), primary_key=True),
    sa.Column("tier", sa.String(16), primary_key=True),
    sa.Column("until_s", sa.BigInteger, nullable=False),
)

# Removed rigs whose history has still to be deleted.
forgotten_rigs = sa.Table(
    "forgotten_rigs",
    metadata,
    sa.Column("kind", sa.String(16), primary_key=True),
    sa.Column("rig_id", sa.Integer, primary_key=True, autoincrement=False),
)

rig_events = sa.Table(
    "rig_events",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("kind", sa.String(16), nullable=False),
    sa.Column("rig_id", sa.Integer, nullable=False),
    sa.Column("at", Moment, nullable=False),
    sa.Column("event", sa.String(32), nullable=False),
    sa.Column("text", sa.String(256), nullable=False),
    sa.Index("ix_rig_events_rig", "kind", "rig_id", "at"),
)
