"""The operational index forgets at a stop what the database remembers: both ways of that."""

from collections.abc import Iterable
from datetime import datetime

from commander.db import Database
from commander.live.operational_index import OperationalIndex, RigState
from commander.rigs import store
from commander.rigs.kinds import RigKind
from commander.telemetry import store as logs
from commander.telemetry.readers import READERS


async def remember(database: Database, kind: RigKind, index: OperationalIndex, *, now: datetime, now_s: float) -> None:
    """Fill the empty index: every rig, its newest log, and how long it has been silent."""
    async with database.reading() as db:
        rigs = await store.all_rigs(db, kind)
        latest = await logs.latest_logs(db, kind, {rig.id: rig.last_taken_at for rig in rigs})
    for rig in rigs:
        index.add(rig.id, rig.name, rig.specs, added_at=rig.created_at)
        if found := latest.get(rig.id):
            figures = READERS[kind](found.body).figures
            index.restore(rig.id, found.body, figures, taken_at=found.taken_at, now=now, now_s=now_s)
        elif rig.last_taken_at:
            index.restore_silent(rig.id, heard_at=rig.last_taken_at)
    index.check_health(now_s)


async def note_newest(database: Database, kind: RigKind, states: Iterable[RigState]) -> None:
    """Write down where the newest logs are of rigs that fell silent: the next start finds them without searching."""
    newest = [(state.id, state.taken_at) for state in states if state.taken_at]
    async with database.transaction() as db:
        await store.set_last_taken(db, kind, newest)
