"""Queries about what is kept for years. A function is one query, or few; none commits."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.db import insert_for
from commander.history.opening import Packed
from commander.history.rolling import ChunkKey, Horizons
from commander.history.tables import (
    CHUNKS,
    RAW,
    ROLLED,
    TIERS,
    Tier,
    farm_chunks,
    farm_samples,
    forgotten_rigs,
    horizons,
)
from commander.partitions import drop_oldest_part
from commander.raw_logs.tables import HOUR_S, due_hours
from commander.registry.kinds import RigKind
from commander.registry.tables import RIGS

MANY = 300  # parameters of one query
FARM = "farm "  # before a tier's name, of its horizon for the farm


async def _put(db: AsyncConnection, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Inserts the rows, or replaces those with the same keys."""
    if not rows:
        return
    keys = [column.name for column in table.primary_key]
    query = insert_for(db, table)
    changed = {name: query.excluded[name] for name in rows[0] if name not in keys}
    if changed:
        query = query.on_conflict_do_update(index_elements=keys, set_=changed)
    else:
        query = query.on_conflict_do_nothing(index_elements=keys)
    await db.execute(query, [*rows])


async def read_horizons(db: AsyncConnection, kind: RigKind, *, of: str = "") -> Horizons:
    """Of the rigs, or of the farm's own series."""
    query = sa.select(horizons.c.tier, horizons.c.until_s).where(horizons.c.kind == kind)
    until_s = {name: until for name, until in await db.execute(query)}
    return Horizons(until_s.get(RAW, 0), {tier: until_s.get(of + tier.name, 0) for tier in TIERS})


async def raise_horizon(db: AsyncConnection, kind: RigKind, tier: str, until_s: int) -> None:
    """Allows to delete the rows before `until_s`; a horizon never goes back."""
    query = insert_for(db, horizons).values(kind=kind, tier=tier, until_s=until_s)
    await db.execute(
        query.on_conflict_do_update(
            index_elements=[horizons.c.kind, horizons.c.tier],
            set_={"until_s": until_s},
            where=horizons.c.until_s < until_s,
        )
    )


async def lock_roll_up(db: AsyncConnection, kind: RigKind) -> None:
    """Of several that roll up one waits here for the other's commit."""
    query = insert_for(db, horizons).values(kind=kind, tier="roll-up", until_s=0)
    keys = [horizons.c.kind, horizons.c.tier]
    await db.execute(query.on_conflict_do_update(index_elements=keys, set_={"until_s": horizons.c.until_s + 1}))


async def due_before(
    db: AsyncConnection, kind: RigKind, before_s: int, *, rigs: int, hours_a_rig: int, but: Iterable[int] = ()
) -> dict[int, dict[int, int]]:
    """The oldest hours that are due and over, as rig → hour → marks; `but` are rigs that are left out."""
    is_due = sa.and_(due_hours.c.kind == kind, due_hours.c.hour_s < before_s)
    oldest = sa.select(due_hours.c.rig_id, sa.func.min(due_hours.c.hour_s).label("oldest")).where(is_due)
    oldest = oldest.where(due_hours.c.rig_id.not_in(list(but)))
    oldest = oldest.group_by(due_hours.c.rig_id).order_by(sa.text("oldest")).limit(rigs)
    due: dict[int, dict[int, int]] = {rig_id: {} for rig_id, _ in await db.execute(oldest)}
    query = sa.select(due_hours.c.rig_id, due_hours.c.hour_s, due_hours.c.marks)
    query = query.where(is_due, due_hours.c.rig_id.in_(list(due))).order_by(due_hours.c.hour_s)
    for rig_id, hour_s, marks in await db.execute(query):
        if len(due[rig_id]) < hours_a_rig:
            due[rig_id][hour_s] = marks
    return due


async def due_of_rig(db: AsyncConnection, kind: RigKind, rig_id: int, since_s: int, until_s: int) -> list[int]:
    query = sa.select(due_hours.c.hour_s).where(due_hours.c.kind == kind, due_hours.c.rig_id == rig_id)
    query = query.where(due_hours.c.hour_s >= since_s - HOUR_S + 1, due_hours.c.hour_s < until_s)
    return sorted((await db.execute(query)).scalars())


async def oldest_due(db: AsyncConnection, kind: RigKind) -> int | None:
    query = sa.select(sa.func.min(due_hours.c.hour_s)).where(due_hours.c.kind == kind)
    oldest: int | None = (await db.execute(query)).scalar_one()
    return oldest


async def settled_oldest_due(db: AsyncConnection, kind: RigKind) -> int | None:
    """The same, and until this transaction ends no older one comes."""
    if db.dialect.name == "postgresql":
        await db.execute(sa.text("LOCK TABLE due_hours IN SHARE MODE"))
    return await oldest_due(db, kind)


async def marks_of(db: AsyncConnection, kind: RigKind, rig_id: int, hours_s: Iterable[int]) -> dict[int, int]:
    """As they are now; locked until the transaction ends, where the database can."""
    query = sa.select(due_hours.c.hour_s, due_hours.c.marks).where(
        due_hours.c.kind == kind, due_hours.c.rig_id == rig_id, due_hours.c.hour_s.in_(list(hours_s))
    )
    return {hour_s: marks for hour_s, marks in await db.execute(query.with_for_update())}


async def not_due_any_more(db: AsyncConnection, kind: RigKind, rig_id: int, hours_s: Iterable[int] | None) -> None:
    """None: of the rig no hour at all."""
    gone = sa.delete(due_hours).where(due_hours.c.kind == kind, due_hours.c.rig_id == rig_id)
    await db.execute(gone if hours_s is None else gone.where(due_hours.c.hour_s.in_(list(hours_s))))


async def rig_exists(db: AsyncConnection, kind: RigKind, rig_id: int) -> bool:
    rigs = RIGS[kind]
    return (await db.execute(sa.select(rigs.c.id).where(rigs.c.id == rig_id))).one_or_none() is not None


async def read_chunks(
    db: AsyncConnection, kind: RigKind, tier: Tier, rig_id: int, starts_s: Sequence[int]
) -> dict[int, Packed]:
    chunks, packed = CHUNKS[kind][tier], dict[int, Packed]()
    for at in range(0, len(starts_s), MANY):
        query = sa.select(chunks.c.start_s, chunks.c.codec, chunks.c.body)
        query = query.where(chunks.c.start_s.in_(starts_s[at : at + MANY]), chunks.c.rig_id == rig_id)
        packed |= {start_s: (codec, body) for start_s, codec, body in await db.execute(query)}
    return packed


async def write_chunks(
    db: AsyncConnection, kind: RigKind, codec: int, chunks: Iterable[tuple[int, ChunkKey, bytes]]
) -> None:
    """Given as (rig, chunk, body)."""
    rows: dict[Tier, list[dict[str, Any]]] = {}
    for rig_id, (tier, start_s), body in chunks:
        rows.setdefault(tier, []).append({"start_s": start_s, "rig_id": rig_id, "codec": codec, "body": body})
    for tier, of_tier in rows.items():
        await _put(db, CHUNKS[kind][tier], of_tier)


async def read_rolled(db: AsyncConnection, kind: RigKind, rig_id: int, hours_s: Iterable[int]) -> dict[int, bytes]:
    rolled = ROLLED[kind]
    query = sa.select(rolled.c.start_s, rolled.c.body)
    query = query.where(rolled.c.start_s.in_(list(hours_s)), rolled.c.rig_id == rig_id)
    return {start_s: body for start_s, body in await db.execute(query)}


async def write_rolled(db: AsyncConnection, kind: RigKind, rolled: Iterable[tuple[int, int, bytes]]) -> None:
    """Given as (rig, hour, body)."""
    rows = [{"start_s": hour_s, "rig_id": rig_id, "body": body} for rig_id, hour_s, body in rolled]
    await _put(db, ROLLED[kind], rows)


async def read_farm_chunks(
    db: AsyncConnection, kind: RigKind, tier: Tier, starts_s: Sequence[int]
) -> dict[int, Packed]:
    packed = dict[int, Packed]()
    for at in range(0, len(starts_s), MANY):
        query = sa.select(farm_chunks.c.start_s, farm_chunks.c.codec, farm_chunks.c.body)
        query = query.where(farm_chunks.c.kind == kind, farm_chunks.c.step_s == tier.step_s)
        query = query.where(farm_chunks.c.start_s.in_(starts_s[at : at + MANY]))
        packed |= {start_s: (codec, body) for start_s, codec, body in await db.execute(query)}
    return packed


async def write_farm_chunks(
    db: AsyncConnection, kind: RigKind, codec: int, chunks: Iterable[tuple[ChunkKey, bytes]]
) -> None:
    rows = [
        {"kind": kind, "step_s": tier.step_s, "start_s": start_s, "codec": codec, "body": body}
        for (tier, start_s), body in chunks
    ]
    await _put(db, farm_chunks, rows)


async def first_and_last_chunk(db: AsyncConnection, kind: RigKind, tier: Tier) -> tuple[int, int] | None:
    """Returns the starts of the oldest and the newest chunk of any rig."""
    chunks = CHUNKS[kind][tier]
    first = (await db.execute(sa.select(sa.func.min(chunks.c.start_s)))).scalar_one()
    last = (await db.execute(sa.select(sa.func.max(chunks.c.start_s)))).scalar_one()
    return None if first is None or last is None else (first, last)


async def first_and_last_farm_chunk(db: AsyncConnection, kind: RigKind, tier: Tier) -> tuple[int, int] | None:
    of_tier = sa.and_(farm_chunks.c.kind == kind, farm_chunks.c.step_s == tier.step_s)
    first = (await db.execute(sa.select(sa.func.min(farm_chunks.c.start_s)).where(of_tier))).scalar_one()
    last = (await db.execute(sa.select(sa.func.max(farm_chunks.c.start_s)).where(of_tier))).scalar_one()
    return None if first is None or last is None else (first, last)


async def put_sample(db: AsyncConnection, kind: RigKind, minute_s: int, body: bytes) -> None:
    await _put(db, farm_samples, [{"kind": kind, "minute_s": minute_s, "body": body}])


async def read_samples(db: AsyncConnection, kind: RigKind, since_s: int, until_s: int) -> dict[int, bytes]:
    query = sa.select(farm_samples.c.minute_s, farm_samples.c.body).where(farm_samples.c.kind == kind)
    query = query.where(farm_samples.c.minute_s >= since_s, farm_samples.c.minute_s < until_s)
    return {minute_s: body for minute_s, body in await db.execute(query)}


async def delete_samples(db: AsyncConnection, kind: RigKind, before_s: int) -> None:
    await db.execute(sa.delete(farm_samples).where(farm_samples.c.kind == kind, farm_samples.c.minute_s < before_s))


async def delete_before(db: AsyncConnection, table: sa.Table, before_s: int, *, limit: int) -> int:
    """Delete up to `limit` of the oldest rows that begin before a moment; returns how many, 0 when there are none left.

    PostgreSQL drops a whole part, once all of it is before the moment, and that counts as one.
    """
    if db.dialect.name == "postgresql":
        return int(await drop_oldest_part(db, table, before=before_s))
    oldest: int | None = (await db.execute(sa.select(sa.func.min(table.c.start_s)))).scalar_one()
    if oldest is None or oldest >= before_s:
        return 0
    part = sa.select(table.c.rig_id).where(table.c.start_s == oldest).limit(limit)
    gone = await db.execute(sa.delete(table).where(table.c.start_s == oldest, table.c.rig_id.in_(part)))
    return gone.rowcount


async def delete_farm_before(db: AsyncConnection, kind: RigKind, tier: Tier, before_s: int) -> None:
    await raise_horizon(db, kind, FARM + tier.name, before_s)
    await db.execute(
        sa.delete(farm_chunks).where(
            farm_chunks.c.kind == kind, farm_chunks.c.step_s == tier.step_s, farm_chunks.c.start_s < before_s
        )
    )


async def forget_rig(db: AsyncConnection, kind: RigKind, rig_id: int) -> None:
    """A rig is removed: nothing of it is rolled up any more, and its history is deleted soon, by a job."""
    await not_due_any_more(db, kind, rig_id, None)
    await _put(db, forgotten_rigs, [{"kind": kind, "rig_id": rig_id}])


async def any_forgotten(db: AsyncConnection) -> tuple[RigKind, int] | None:
    """A removed rig of which there is still something."""
    row = (await db.execute(sa.select(forgotten_rigs.c.kind, forgotten_rigs.c.rig_id).limit(1))).one_or_none()
    return None if row is None else (RigKind(row.kind), row.rig_id)


async def all_forgotten(db: AsyncConnection, kind: RigKind, rig_id: int) -> None:
    """Nothing of it is left."""
    await db.execute(sa.delete(forgotten_rigs).where(forgotten_rigs.c.kind == kind, forgotten_rigs.c.rig_id == rig_id))


async def starts_of_rig(db: AsyncConnection, table: sa.Table, rig_id: int) -> list[int]:
    return list((await db.execute(sa.select(table.c.start_s).where(table.c.rig_id == rig_id))).scalars())


async def delete_of_rig(db: AsyncConnection, table: sa.Table, rig_id: int, starts_s: Sequence[int]) -> None:
    await db.execute(sa.delete(table).where(table.c.start_s.in_(starts_s), table.c.rig_id == rig_id))
