"""Deletes raw logs once their hours are rolled up, and the finer tiers after their time.

Time is the farm's own: the clock, but never beyond the newest log that is stored. A clock that jumps ahead must not
take the history with it. Rows are deleted a few at a time, so that the intake hardly waits.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from commander.db import Database, from_us, to_us
from commander.history import events, store
from commander.history.tables import CHUNKS, MINUTES, RAW, ROLLED, TEN_MINUTES, TIERS, Tier
from commander.raw_logs import store as logs
from commander.raw_logs.tables import BUCKET_S, HOUR_S, bucket_of
from commander.registry.kinds import RigKind
from commander.settings import Settings

LOGS_A_BITE = 5_000  # about 50 ms in which the intake waits
CHUNKS_A_BITE = 200
LATE = timedelta(days=31)  # a little more than a log may be late: until then it may be sent again
EVENTS_KEPT = timedelta(days=400)
SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Kept:
    """The time for which history is stored; the hour tier stays for ever."""

    raw: timedelta = timedelta(hours=24)
    minutes: timedelta = timedelta(days=7)
    ten_minutes: timedelta = timedelta(days=90)

    def of_tiers(self) -> dict[Tier, timedelta]:
        return {MINUTES: self.minutes, TEN_MINUTES: self.ten_minutes}


def kept_by(settings: Settings) -> Kept:
    return Kept(
        timedelta(hours=settings.raw_kept_h),
        timedelta(days=settings.minutes_kept_d),
        timedelta(days=settings.ten_minutes_kept_d),
    )


async def drop_old(database: Database, kept: Kept, *, now: datetime) -> None:
    for kind in RigKind:
        time = await farm_time(database, kind, now=now)
        if time is not None:
            await _drop_raw(database, kind, to_us(time - kept.raw) // SECOND_US // HOUR_S * HOUR_S)
            for tier, its_time in kept.of_tiers().items():
                await _drop_tier(database, kind, tier, tier.chunk_of(to_us(time - its_time) / SECOND_US))
                of_farm = max(its_time, LATE + timedelta(days=7))  # late logs correct the farm by the minute
                async with database.transaction() as db:
                    before_s = tier.chunk_of(to_us(time - of_farm) / SECOND_US)
                    await store.delete_farm_before(db, kind, tier, before_s)
            await _bites(database, kind, to_us(time - LATE) // SECOND_US)
    gone = events_a_bite = CHUNKS_A_BITE
    while gone == events_a_bite:
        async with database.transaction() as db:
            gone = await events.delete_events_before(db, now - EVENTS_KEPT, limit=events_a_bite)


async def farm_time(database: Database, kind: RigKind, *, now: datetime) -> datetime | None:
    """The clock, but not beyond the newest log; None where there is no log."""
    async with database.reading() as db:
        newest = await logs.newest_bucket(db, kind)
    if newest is None:
        return None
    return min(now, from_us((newest + 1) * BUCKET_S * SECOND_US))


async def _drop_raw(database: Database, kind: RigKind, before_s: int) -> None:
    """An hour that is still to be rolled up keeps its logs, and with them all that are newer."""
    gone = 1
    while gone:
        async with database.transaction() as db:
            await logs.lock_for_deleting(db, kind, older_than_bucket=bucket_of(before_s * SECOND_US))
            oldest_due = await store.settled_oldest_due(db, kind)
            until_s = before_s if oldest_due is None else min(before_s, oldest_due)
            await store.raise_horizon(db, kind, RAW, until_s)
            before = bucket_of(until_s * SECOND_US)
            gone = await logs.delete_bucket_part(db, kind, older_than_bucket=before, limit=LOGS_A_BITE)


async def _drop_tier(database: Database, kind: RigKind, tier: Tier, before_s: int) -> None:
    async with database.transaction() as db:
        await store.raise_horizon(db, kind, tier.name, before_s)
    gone = 1
    while gone:
        async with database.transaction() as db:
            gone = await store.delete_before(db, CHUNKS[kind][tier], before_s, limit=CHUNKS_A_BITE)


async def _bites(database: Database, kind: RigKind, before_s: int) -> None:
    gone = 1
    while gone:
        async with database.transaction() as db:
            gone = await store.delete_before(db, ROLLED[kind], before_s, limit=10 * CHUNKS_A_BITE)


async def forget_removed(database: Database) -> None:
    """Delete what there is of rigs that were removed."""
    while True:
        async with database.reading() as db:
            removed = await store.any_forgotten(db)
        if removed is None:
            return
        kind, rig_id = removed
        for table in (*(CHUNKS[kind][tier] for tier in TIERS), ROLLED[kind]):
            async with database.reading() as db:
                starts_s = await store.starts_of_rig(db, table, rig_id)
            for at in range(0, len(starts_s), CHUNKS_A_BITE):
                async with database.transaction() as db:
                    await store.delete_of_rig(db, table, rig_id, starts_s[at : at + CHUNKS_A_BITE])
        async with database.transaction() as db:
            await events.delete_events_of(db, kind, rig_id)
            await store.all_forgotten(db, kind, rig_id)
