"""The job that rolls up hours that are over: a few rigs a time, each time in one transaction.

It may be killed at any line: what is not committed is still due. A log that comes in between leaves the hour due.
"""

import asyncio
import logging
import time
from collections.abc import Iterable
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.db import Database, to_us
from commander.history import farm, store
from commander.history.buckets import Buckets, put_together, without
from commander.history.names import OF_THE_FARM, Names
from commander.history.opening import Packed, opened
from commander.history.packing import CODEC, pack
from commander.history.rolling import ChunkKey, Horizons, RigRolled, RigWork, Rolling, chunks_of
from commander.history.tables import CHUNKS, HOURS, MINUTES, ROLLED, TIERS, Tier
from commander.partitions import add_missing_parts
from commander.problems import DatabaseProblem
from commander.raw_logs import store as logs
from commander.raw_logs.tables import HOUR_S
from commander.registry.kinds import RigKind

log = logging.getLogger(__name__)
GRACE_S = 120  # after an hour's end, for logs that are on their way
RIGS_A_TIME = 8  # in one transaction: about 20 ms in which the intake waits
HOURS_A_RIG = 6
LOGS_AN_HOUR = 40_000
SECOND_US = 1_000_000


async def roll_up(database: Database, *, now: datetime, at_most: timedelta = timedelta(seconds=40)) -> bool:
    """Roll up what is due; False if there was not enough time for all of it."""
    deadline_s = time.monotonic() + at_most / timedelta(seconds=1)
    over_s = int(to_us(now) // SECOND_US - GRACE_S) // HOUR_S * HOUR_S
    for kind in RigKind:
        failed: set[int] = set()
        while await _roll_some(database, kind, over_s, failed):
            if time.monotonic() > deadline_s:
                return False
        async with database.transaction() as db:
            oldest = await store.oldest_due(db, kind)
            await store.delete_samples(db, kind, min(over_s, over_s if oldest is None else oldest))
    return True


async def _roll_some(database: Database, kind: RigKind, over_s: int, failed: set[int]) -> bool:
    """One round; False if nothing is due. A rig that can't be rolled up is left out of the further rounds."""
    async with database.reading() as db:
        due = await store.due_before(db, kind, over_s, rigs=RIGS_A_TIME, hours_a_rig=HOURS_A_RIG, but=failed)
        kept = await store.read_horizons(db, kind)
    rolled: list[RigRolled] = []
    for rig_id, marks in sorted(due.items()):  # one by one: the logs of many would fill the memory
        try:
            async with database.reading() as db:
                work = await _work(db, kind, rig_id, marks, kept)
            rolled.append(await _rolled(database, kind, work, kept))
        except DatabaseProblem:
            raise
        except Exception:
            log.exception("the history of rig %d (%s) can't be rolled up; it is tried again", rig_id, kind)
            failed.add(rig_id)
    if rolled:
        await _make_room(database, kind, rolled)
        async with database.transaction() as db:
            await _write(db, kind, rolled)
    return bool(due)


async def _make_room(database: Database, kind: RigKind, rolled: Iterable[RigRolled]) -> None:
    """PostgreSQL's parts, in a transaction of their own."""
    if not database.is_postgresql:
        return
    starts: dict[sa.Table, set[int]] = {}
    for each in rolled:
        starts.setdefault(ROLLED[kind], set()).update(each.rolled)
        for tier, start_s in each.chunks:
            starts.setdefault(CHUNKS[kind][tier], set()).add(start_s)
    for table, starts_s in starts.items():
        await add_missing_parts(database, table, starts_s)


async def _rolled(database: Database, kind: RigKind, work: RigWork, kept: Horizons) -> RigRolled:
    """Rolls up an hour, reading its logs in slices: all at once they could fill the memory."""
    rolling = Rolling(kind, work, kept)
    for hour_s in sorted(work.marks):
        await asyncio.to_thread(rolling.begin, hour_s)
        async for rows in logs.read_in_slices(
            database,
            kind,
            work.rig_id,
            from_us=hour_s * SECOND_US,
            before_us=(hour_s + HOUR_S) * SECOND_US,
            limit=LOGS_AN_HOUR,
        ):
            await asyncio.to_thread(rolling.take, rows)
        await asyncio.to_thread(rolling.end)
    return await asyncio.to_thread(rolling.result)


async def _work(db: AsyncConnection, kind: RigKind, rig_id: int, marks: dict[int, int], kept: Horizons) -> RigWork:
    work = RigWork(rig_id, marks)
    work.rolled = await store.read_rolled(db, kind, rig_id, marks)
    for tier in TIERS:
        starts = sorted({start_s for of_tier, start_s in chunks_of(marks, kept) if of_tier is tier})
        stored = await store.read_chunks(db, kind, tier, rig_id, starts)
        work.chunks |= {(tier, start_s): packed for start_s, packed in stored.items()}
    return work


async def _write(db: AsyncConnection, kind: RigKind, rolled: Iterable[RigRolled]) -> None:
    """In the order of their ids, as the intake marks them: neither waits for the other for ever."""
    await store.lock_roll_up(db, kind)
    good = [each for each in rolled if await _is_as_it_was(db, kind, each)]
    for each in good:
        await store.not_due_any_more(db, kind, each.rig_id, each.marks)
    await store.write_chunks(
        db, kind, CODEC, [(each.rig_id, key, body) for each in good for key, body in each.chunks.items()]
    )
    await store.write_rolled(
        db, kind, [(each.rig_id, hour_s, body) for each in good for hour_s, body in each.rolled.items()]
    )
    await _correct_farm(db, kind, farm.summed_up((each.farm, 1) for each in good))


async def _is_as_it_was(db: AsyncConnection, kind: RigKind, rolled: RigRolled) -> bool:
    """Neither removed nor reported for late while it was worked out."""
    if not await store.rig_exists(db, kind, rolled.rig_id):
        await store.not_due_any_more(db, kind, rolled.rig_id, None)
        return False
    return await store.marks_of(db, kind, rolled.rig_id, rolled.marks) == rolled.marks


async def _correct_farm(db: AsyncConnection, kind: RigKind, added: farm.Sums) -> None:
    """Adds to the farm's minutes, and makes its longer steps from them again."""
    hours = farm.by_hour(added)
    names = {HOURS.chunk_of(hour_s): Names(OF_THE_FARM) for hour_s in hours}  # a week has the same ones in every tier
    chunks: dict[ChunkKey, Buckets] = {}
    for tier in reversed(TIERS):
        starts = sorted({tier.chunk_of(hour_s) for hour_s in hours})
        stored = await store.read_farm_chunks(db, kind, tier, starts)
        for start_s in starts:
            chunks[tier, start_s] = _unpacked(stored.get(start_s), tier, start_s, names)
    for hour_s, sums in hours.items():
        before = farm.sums_of(chunks[MINUTES, hour_s])
        more = farm.named(sums, names[HOURS.chunk_of(hour_s)].named)
        minutes = farm.in_minutes(hour_s, farm.summed_up([(before, 1), (more, 1)]))
        chunks[MINUTES, hour_s] = minutes
        for tier in TIERS[1:]:
            key = (tier, tier.chunk_of(hour_s))
            part = farm.longer(minutes, tier.step_s)
            chunks[key] = put_together(without(chunks[key], hour_s, hour_s + HOUR_S), part)
    packed = [(key, pack(buckets)) for key, buckets in chunks.items() if buckets.where]
    await store.write_farm_chunks(db, kind, CODEC, packed)


def _unpacked(packed: Packed | None, tier: Tier, start_s: int, names: dict[int, Names]) -> Buckets:
    if packed is None:
        return Buckets(start_s, tier.step_s)
    of_week = names.get(HOURS.chunk_of(start_s)) or Names(OF_THE_FARM)
    return opened(packed, start_s=start_s, step_s=tier.step_s, names=of_week.named, of_farm=True)
