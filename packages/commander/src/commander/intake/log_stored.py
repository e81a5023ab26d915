"""Passes a stored log on to the live state, whether this process wrote it or a worker did."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from commander.db import from_us
from commander.history.watch import RigWatch
from commander.live.rigs import Lives
from commander.raw_logs.store import NewLog
from commander.registry.kinds import RigKind

SECOND = timedelta(seconds=1)


def log_stored(
    lives: Lives, watches: Mapping[RigKind, RigWatch], new: NewLog, received_at: datetime | None = None
) -> None:
    """Notes the rig's events, which compares the log with the one before, and then shows it.

    `received_at` is when it came to another process; None: it has come to this one just now.
    """
    taken_at, now = from_us(new.taken_at_us), datetime.now(UTC)
    received_at = received_at or now
    age_s = max(0.0, (now - received_at) / SECOND)
    watches[new.kind].logged(new.rig_id, new.summary, taken_at=taken_at, now=received_at)
    lives[new.kind].logged(
        new.rig_id,
        new.body,
        new.summary,
        taken_at=taken_at,
        reported_at=received_at,
        now_s=time.monotonic() - age_s,
    )
