#!/usr/bin/env python3
"""Months of history for a farm that never was, written by the commander's own functions. Stop the commander first.

    devtools/seed_history.py --data-dir DATA_DIR --rigs 1000 --asics 200 --days 90

A few kinds of rigs are worked out in full; each rig is one of them, begun some weeks earlier or later.
"""

import argparse
import asyncio
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime
from typing import NamedTuple

import sqlalchemy as sa
from commander.backup.progress import CopyProgress
from commander.db import Database, open_database, to_us
from commander.history import farm, store
from commander.history.buckets import Buckets, put_together
from commander.history.packing import CODEC, pack
from commander.history.rolling import ChunkKey
from commander.history.summing import Summed, coarser, in_buckets
from commander.history.tables import CHUNKS, DAY_S, HOURS, MINUTES, TEN_MINUTES, TIERS
from commander.migrations import migrate
from commander.partitions import add_missing_parts
from commander.raw_logs.tables import HOUR_S
from commander.registry.kinds import RigKind
from commander.registry.names import name_key
from commander.registry.tables import RIGS
from commander.settings import load_settings
from seeded_figures import SeededRig, seeded_asic, seeded_gpu_rig

WEEK_S = 7 * DAY_S
MINUTES_KEPT_S, TEN_MINUTES_KEPT_S = 7 * DAY_S, 90 * DAY_S
KINDS_OF_RIGS, WEEKS_APART = 6, 3
RIGS_A_TRANSACTION = 10


class Pattern(NamedTuple):
    """One kind of rig worked out: its chunks by (tier, how many seconds before now's week), and what the farm gets."""

    chunks: dict[ChunkKey, bytes]
    farm: dict[int, dict[int, farm.Sums]]  # by step, then by beginning of the stretch


def worked_out(kind: RigKind, number: int, cards: int | None, days: int, now_s: int) -> Pattern:
    """Of `days` and the weeks that rigs are apart, up to the hour that is open."""
    rig = seeded_asic(number) if kind is RigKind.ASIC else seeded_gpu_rig(number, cards=cards)
    end_s = now_s // HOUR_S * HOUR_S
    apart_s = weeks_apart(days) * WEEK_S
    fine_s = (end_s - MINUTES_KEPT_S - apart_s) // DAY_S * DAY_S
    begin_s = (end_s - days * DAY_S - apart_s) // DAY_S * DAY_S
    pattern = Pattern({}, {60: {}, 600: {}})
    weeks: dict[int, Buckets] = {}
    for day_s in range(begin_s, end_s, DAY_S):
        for key, buckets in _day(rig, day_s, min(day_s + DAY_S, end_s), fine=day_s >= fine_s):
            if key[0] is HOURS:
                weeks[key[1]] = put_together(weeks[key[1]], buckets) if key[1] in weeks else buckets
                continue
            pattern.chunks[key] = pack(buckets)
            pattern.farm[key[0].step_s][key[1]] = farm.contribution(buckets)
    pattern.chunks.update({(HOURS, start_s): pack(buckets) for start_s, buckets in weeks.items() if buckets.where})
    return pattern


def weeks_apart(days: int) -> int:
    """For a short history it is not worth while."""
    return WEEKS_APART if days >= 28 else 0


def _day(rig: SeededRig, day_s: int, end_s: int, *, fine: bool) -> Iterator[tuple[ChunkKey, Buckets]]:
    if not fine:
        tens = rig.stretch(day_s, step_s=600, count=(end_s - day_s) // 600)
        yield from _longer(tens, day_s)
        return
    day = Buckets(day_s, TEN_MINUTES.step_s)
    week_s = HOURS.chunk_of(day_s)
    hours = Buckets(week_s, HOURS.step_s)
    for hour_s in range(day_s, end_s, HOUR_S):
        sums = rig.stretch(hour_s, step_s=60, count=60)
        if sums.where:
            yield (MINUTES, hour_s), in_buckets(sums)
            tens = coarser(sums, step_s=600)
            day = put_together(day, in_buckets(tens))
            hours = put_together(hours, in_buckets(coarser(tens, step_s=3600)))
    yield (TEN_MINUTES, day_s), day
    yield (HOURS, week_s), hours


def _longer(tens: Summed, day_s: int) -> Iterator[tuple[ChunkKey, Buckets]]:
    yield (TEN_MINUTES, day_s), in_buckets(tens)
    week_s = HOURS.chunk_of(day_s)
    yield (HOURS, week_s), put_together(Buckets(week_s, HOURS.step_s), in_buckets(coarser(tens, step_s=3600)))


def chunks_of(pattern: Pattern, weeks: int, days: int, now_s: int) -> Iterator[tuple[ChunkKey, bytes]]:
    """Yields the chunks of a rig of this pattern, moved by `weeks` to the future. Those after `now_s` are left out."""
    begin_s = {
        MINUTES: now_s - MINUTES_KEPT_S,
        TEN_MINUTES: now_s - min(TEN_MINUTES_KEPT_S, days * DAY_S),
        HOURS: now_s - days * DAY_S,
    }
    shift_s = weeks * WEEK_S
    for (tier, start_s), body in pattern.chunks.items():
        if begin_s[tier] // tier.chunk_s * tier.chunk_s <= start_s + shift_s <= now_s - tier.chunk_s or (
            not shift_s and start_s + tier.chunk_s > now_s >= start_s
        ):
            yield (tier, start_s + shift_s), body


async def seed(database: Database, kind: RigKind, rigs: int, *, cards: int | None, days: int, now_s: int) -> None:
    if not rigs:
        return
    kinds = min(rigs, KINDS_OF_RIGS)
    with ProcessPoolExecutor(min(2, os.cpu_count() or 1)) as processes:
        jobs = [processes.submit(worked_out, kind, number, cards, days, now_s) for number in range(kinds)]
        patterns = [await asyncio.wrap_future(job) for job in jobs]
    ids = await _add_rigs(database, kind, rigs)
    if database.is_postgresql:
        await _make_parts(database, kind, days=days, now_s=now_s)
    progress = CopyProgress(f"seeding {kind}")
    for at in range(0, rigs, RIGS_A_TRANSACTION):
        async with database.transaction() as db:
            for place in range(at, min(rigs, at + RIGS_A_TRANSACTION)):
                pattern, weeks = patterns[place % kinds], place // kinds % (weeks_apart(days) + 1)
                chunks = [(ids[place], key, body) for key, body in chunks_of(pattern, weeks, days, now_s)]
                await store.write_chunks(db, kind, CODEC, chunks)
        progress.show(f"{min(rigs, at + RIGS_A_TRANSACTION):,} of {rigs:,}")
    progress.end(f"{rigs:,} rigs")
    await _seed_farm(database, kind, patterns, rigs=rigs, days=days, now_s=now_s)


async def _make_parts(database: Database, kind: RigKind, *, days: int, now_s: int) -> None:
    since_s = now_s - (days + 8) * DAY_S  # the week in which the first day is
    for tier in TIERS:
        await add_missing_parts(database, CHUNKS[kind][tier], range(since_s, now_s, DAY_S))


async def _add_rigs(database: Database, kind: RigKind, count: int) -> list[int]:
    rigs, ids = RIGS[kind], list[int]()
    async with database.transaction() as db:
        for number in range(1, count + 1):
            name = f"seeded-{number:04d}"
            values = {
                "name": name,
                "name_key": name_key(name),
                "token_hash": os.urandom(32),
                "created_at": datetime.now(UTC),
            }
            ids.append((await db.execute(sa.insert(rigs).values(values).returning(rigs.c.id))).scalar_one())
    return ids


async def _seed_farm(
    database: Database, kind: RigKind, patterns: Sequence[Pattern], *, rigs: int, days: int, now_s: int
) -> None:
    """The rigs' sums: by the minute where there are minutes, before that by ten of them."""
    many = {
        (pattern, weeks): sum(
            1
            for place in range(rigs)
            if place % len(patterns) == pattern and place // len(patterns) % (weeks_apart(days) + 1) == weeks
        )
        for pattern in range(len(patterns))
        for weeks in range(weeks_apart(days) + 1)
    }

    def summed(step_s: int, start_s: int) -> Buckets:
        parts = [
            (_moved(patterns[pattern].farm[step_s].get(start_s - weeks * WEEK_S, {}), weeks * WEEK_S, count), 1)
            for (pattern, weeks), count in many.items()
            if count
        ]
        return farm.in_minutes(start_s, farm.summed_up(parts), step_s=step_s)

    chunks: dict[ChunkKey, Buckets] = {}
    fine_s = (now_s - MINUTES_KEPT_S) // DAY_S * DAY_S
    for day_s in range((now_s - days * DAY_S) // DAY_S * DAY_S, fine_s, DAY_S):
        tens = farm.counted_once(summed(600, day_s))
        for gauge in tens.gauges.values():
            gauge.count = [10] * len(gauge.where)
        chunks[TEN_MINUTES, day_s] = tens
    for hour_s in range(fine_s, now_s // HOUR_S * HOUR_S, HOUR_S):
        minutes = summed(60, hour_s)
        if minutes.where:
            chunks[MINUTES, hour_s] = minutes
            key = (TEN_MINUTES, TEN_MINUTES.chunk_of(hour_s))
            before = chunks.get(key) or Buckets(key[1], 600)
            chunks[key] = put_together(before, farm.longer(minutes, 600))
    for (tier, day_s), tens in list(chunks.items()):
        if tier is TEN_MINUTES and tens.where:
            key = (HOURS, HOURS.chunk_of(day_s))
            before = chunks.get(key) or Buckets(key[1], HOUR_S)
            chunks[key] = put_together(before, farm.longer(tens, HOUR_S))
    async with database.transaction() as db:
        packed = [(key, pack(buckets)) for key, buckets in chunks.items() if buckets.where]
        await store.write_farm_chunks(db, kind, CODEC, packed)


def _moved(sums: farm.Sums, shift_s: int, count: int) -> farm.Sums:
    return {
        key: {minute_s + shift_s: (value * count, rigs * count) for minute_s, (value, rigs) in by_minute.items()}
        for key, by_minute in sums.items()
    }


async def seed_all(url: str, given: argparse.Namespace, *, now_s: int) -> None:
    async with open_database(url) as database:
        await seed(database, RigKind.CPU_GPU, given.rigs, cards=given.cards, days=given.days, now_s=now_s)
        await seed(database, RigKind.ASIC, given.asics, cards=None, days=given.days, now_s=now_s)


def arguments(given: Iterable[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data-dir", default="", help="the commander's; default: as the commander itself finds it")
    parser.add_argument("--rigs", type=int, default=100)
    parser.add_argument("--asics", type=int, default=0)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--cards", type=int, default=None, help="of every rig; default: four to eight")
    return parser.parse_args(None if given is None else list(given))


def main() -> None:
    given, started_s = arguments(), time.monotonic()
    more = {"COMMANDER_DATA_DIR": given.data_dir} if given.data_dir else {}
    settings = load_settings(os.environ | more)
    os.umask(0o077)  # as the commander has it, which refuses databases that others may read
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    migrate(settings.database_url)
    asyncio.run(seed_all(settings.database_url, given, now_s=to_us(datetime.now(UTC)) // 1_000_000))
    took_s = time.monotonic() - started_s
    print(f"{given.rigs} rigs and {given.asics} ASICs x {given.days} days in {took_s:.0f} s")


if __name__ == "__main__":
    main()
