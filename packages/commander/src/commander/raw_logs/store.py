"""Logs in and out of the database. Writing uses the driver itself: it is the hottest path of the commander."""

import logging
import sqlite3
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.db import Database, from_us, to_us
from commander.partitions import drop_oldest_part, lock_if_droppable
from commander.raw_logs.codec import Packer, unpack
from commander.raw_logs.dictionaries import load_needed
from commander.raw_logs.dirty_hours import Due, DueHours, mark
from commander.raw_logs.tables import BUCKET_S, LOGS, bucket_of
from commander.readings.summary import RigSummary
from commander.registry.kinds import RigKind
from commander.registry.tables import RIGS

log = logging.getLogger(__name__)
BUCKETS_A_DAY = 86_400 // BUCKET_S
BUCKETS_LOOKED_BACK = 7_200 // BUCKET_S
MANY = 300  # parameters of one query
SLICE_BYTES, READ_BYTES = 4 * 1024 * 1024, 64 * 1024 * 1024
PackedLog = tuple[int, int, bytes]  # taken at, in microseconds; codec and body


class NewLog(NamedTuple):
    """A log on its way in; `body` is its JSON as it was sent, so that fields of a newer sentry are not lost."""

    kind: RigKind
    rig_id: int
    taken_at_us: int
    body: bytes
    summary: RigSummary


class StoredLog(NamedTuple):
    taken_at: datetime
    body: bytes


def write_logs(
    connection: sqlite3.Connection, batch: Sequence[NewLog], packer: Packer, due: DueHours
) -> list[bool | None]:
    """Writes the batch in one transaction; returns for each log: True stored, False was there before, None no such rig.

    After it returns, logs with True are durable and their hours are due. If it raises, such as with a full disk,
    nothing of the batch is stored.
    """
    cursor = connection.cursor()
    cursor.execute("BEGIN IMMEDIATE")
    written: list[bool | None] = [None] * len(batch)
    hours: list[Due] = []
    try:
        for kind in RigKind:
            of_kind = [place for place, log in enumerate(batch) if log.kind is kind]
            for place, stored in zip(of_kind, _write(cursor, kind, [batch[at] for at in of_kind], packer), strict=True):
                written[place] = stored
            hours += due.to_mark(kind, [batch[at][1:3] for at in of_kind if written[at]])
        mark(cursor, hours)
        cursor.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            cursor.execute("ROLLBACK")
        raise
    due.marked(hours)
    return written


Row = tuple[int, int, int, int, bytes]
_INSERT = {
    kind: f"INSERT OR IGNORE INTO {table.name} (bucket, rig_id, taken_at_us, codec, body) VALUES (?, ?, ?, ?, ?)"  # noqa: S608 - own names
    for kind, table in LOGS.items()
}
_SEEK_RIG = {kind: f"SELECT 1 FROM {table.name} WHERE id = ?" for kind, table in RIGS.items()}  # noqa: S608 - own names


def _write(cursor: sqlite3.Cursor, kind: RigKind, batch: Sequence[NewLog], packer: Packer) -> list[bool | None]:
    rows = [(bucket_of(log.taken_at_us), log.rig_id, log.taken_at_us, *packer.pack(kind, log.body)) for log in batch]
    rig_ids = {log.rig_id for log in batch}
    existing = _known_rigs(cursor, kind, rig_ids)
    if existing == rig_ids:
        return _insert_all(cursor, _INSERT[kind], rows)
    return [_insert_one(cursor, _INSERT[kind], row) if row[1] in existing else None for row in rows]


def _known_rigs(cursor: sqlite3.Cursor, kind: RigKind, rig_ids: set[int]) -> set[int]:
    """Those that still exist: a rig may be removed between the check of its token and this transaction."""
    return {rig_id for rig_id in rig_ids if cursor.execute(_SEEK_RIG[kind], (rig_id,)).fetchone()}


def _insert_all(cursor: sqlite3.Cursor, insert: str, rows: list[Row]) -> list[bool | None]:
    """All at once, and if some were there before, again one by one to learn which."""
    if not rows:
        return []
    cursor.execute("SAVEPOINT batch")
    cursor.executemany(insert, rows)
    if cursor.rowcount == len(rows):
        cursor.execute("RELEASE batch")
        return [True] * len(rows)
    cursor.execute("ROLLBACK TO batch")
    return [_insert_one(cursor, insert, row) for row in rows]


def _insert_one(cursor: sqlite3.Cursor, insert: str, row: Row) -> bool:
    return cursor.execute(insert, row).rowcount == 1


async def read_logs(
    db: AsyncConnection, kind: RigKind, rig_id: int, *, from_us: int, before_us: int, limit: int
) -> list[StoredLog]:
    """The rig's logs with from_us <= taken_at < before_us, newest first, `limit` at most."""
    logs, stored = LOGS[kind], list[StoredLog]()
    first, last = await oldest_bucket(db, kind), await newest_bucket(db, kind)
    if first is None or last is None:
        return stored
    for buckets in _days_back(max(first, bucket_of(from_us)), min(last, bucket_of(before_us - 1))):
        query = (
            sa.select(logs.c.taken_at_us, logs.c.codec, logs.c.body)
            .where(logs.c.bucket.in_(buckets), logs.c.rig_id == rig_id)
            .where(logs.c.taken_at_us >= from_us, logs.c.taken_at_us < before_us)
            .order_by(logs.c.bucket.desc(), logs.c.taken_at_us.desc())
            .limit(limit - len(stored))
        )
        stored += await _all_stored(db, await db.execute(query))
        if len(stored) >= limit:
            break
    return stored


async def read_in_slices(
    database: Database, kind: RigKind, rig_id: int, *, from_us: int, before_us: int, limit: int
) -> AsyncIterator[list[PackedLog]]:
    """Yields the rig's newest `limit` packed logs in a range of time, oldest first, in slices of a few MB."""
    async with database.reading() as db:
        sizes = await _sizes(db, kind, rig_id, from_us, before_us, limit)
    for first_us, last_us in _slices(sizes):
        async with database.reading() as db:
            rows = await _packed(db, kind, rig_id, first_us, last_us)
            await load_needed(db, [(codec, body) for _, codec, body in rows])
        yield rows


async def read_packed(
    db: AsyncConnection, kind: RigKind, rig_id: int, *, from_us: int, before_us: int, limit: int
) -> list[PackedLog]:
    """Returns the rig's newest `limit` logs in a range of time, oldest first; fewer if they are very large."""
    size, first_us = 0, before_us
    for taken_at_us, length in reversed(await _sizes(db, kind, rig_id, from_us, before_us, limit)):
        if size and size + length > READ_BYTES:
            break
        first_us, size = taken_at_us, size + length
    rows = await _packed(db, kind, rig_id, first_us, before_us - 1) if size else []
    await load_needed(db, [(codec, body) for _, codec, body in rows])
    return rows


def _slices(sizes: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yields the first and last time of each slice. `sizes` are pairs of time and bytes."""
    first_us = last_us = size = 0
    for taken_at_us, length in sizes:
        if size and size + length > SLICE_BYTES:
            yield first_us, last_us
            size = 0
        if not size:
            first_us = taken_at_us
        last_us, size = taken_at_us, size + length
    if size:
        yield first_us, last_us


async def _sizes(
    db: AsyncConnection, kind: RigKind, rig_id: int, from_us: int, before_us: int, limit: int
) -> list[tuple[int, int]]:
    logs = LOGS[kind]
    query = sa.select(logs.c.taken_at_us, sa.func.length(logs.c.body)).where(logs.c.rig_id == rig_id)
    query = query.where(logs.c.bucket.in_(range(bucket_of(from_us), bucket_of(before_us - 1) + 1)))
    query = query.where(logs.c.taken_at_us >= from_us, logs.c.taken_at_us < before_us)
    rows = await db.execute(query.order_by(logs.c.bucket.desc(), logs.c.taken_at_us.desc()).limit(limit))
    return [(taken_at_us, length) for taken_at_us, length in rows][::-1]


async def _packed(db: AsyncConnection, kind: RigKind, rig_id: int, first_us: int, last_us: int) -> list[PackedLog]:
    logs = LOGS[kind]
    query = sa.select(logs.c.taken_at_us, logs.c.codec, logs.c.body).where(logs.c.rig_id == rig_id)
    query = query.where(logs.c.bucket.in_(range(bucket_of(first_us), bucket_of(last_us) + 1)))
    query = query.where(logs.c.taken_at_us >= first_us, logs.c.taken_at_us <= last_us)
    rows = await db.execute(query.order_by(logs.c.bucket, logs.c.taken_at_us))
    return [(taken_at_us, codec, body) for taken_at_us, codec, body in rows]


def _days_back(first: int, last: int) -> Iterator[range]:
    """The buckets first … last, a day at a time, newest day first."""
    while last >= first:
        start = max(first, last - BUCKETS_A_DAY + 1)
        yield range(last, start - 1, -1)
        last = start - 1


async def _all_stored(db: AsyncConnection, rows: Iterable[Any]) -> list[StoredLog]:
    """Of rows of (taken at, codec, body)."""
    stored: list[tuple[int, int, bytes]] = [(taken_at_us, codec, body) for taken_at_us, codec, body in rows]
    await load_needed(db, [(codec, body) for _, codec, body in stored])
    return [readable for row in stored if (readable := _stored(*row))]


def _stored(taken_at_us: int, codec: int, body: bytes) -> StoredLog | None:
    """Returns the log; None if it can't be read. The others must not be lost with it."""
    try:
        return StoredLog(from_us(taken_at_us), unpack(codec, body))
    except ValueError as error:
        log.error("a log of %s is left out: %s", from_us(taken_at_us), error)
        return None


async def newest_bucket(db: AsyncConnection, kind: RigKind) -> int | None:
    newest: int | None = (await db.execute(sa.select(sa.func.max(LOGS[kind].c.bucket)))).scalar_one()
    return newest


async def oldest_bucket(db: AsyncConnection, kind: RigKind) -> int | None:
    oldest: int | None = (await db.execute(sa.select(sa.func.min(LOGS[kind].c.bucket)))).scalar_one()
    return oldest


async def latest_logs(db: AsyncConnection, kind: RigKind, hints: Mapping[int, datetime | None]) -> dict[int, StoredLog]:
    """Each rig's newest log, for those that reported in the farm's last two hours or have a hint where theirs is.

    `hints` maps every rig to the time of its newest log when it went silent, if it did.
    """
    newest = await newest_bucket(db, kind)
    keys: dict[int, int] = {}
    for bucket in range(newest, newest - BUCKETS_LOOKED_BACK, -1) if newest is not None else ():
        keys |= await _newest_in(db, kind, bucket, set(hints) - set(keys))
    keys |= {rig_id: to_us(hint) for rig_id, hint in hints.items() if hint and rig_id not in keys}
    return await _by_key(db, kind, keys)


async def _newest_in(db: AsyncConnection, kind: RigKind, bucket: int, rig_ids: set[int]) -> dict[int, int]:
    logs = LOGS[kind]
    query = sa.select(logs.c.rig_id, sa.func.max(logs.c.taken_at_us)).where(logs.c.bucket == bucket)
    if len(rig_ids) <= MANY:  # a seek for each; else one walk through the bucket is cheaper
        query = query.where(logs.c.rig_id.in_(rig_ids))
    rows = await db.execute(query.group_by(logs.c.rig_id))
    return {rig_id: taken_at_us for rig_id, taken_at_us in rows if rig_id in rig_ids}


async def _by_key(db: AsyncConnection, kind: RigKind, keys: Mapping[int, int]) -> dict[int, StoredLog]:
    logs = LOGS[kind]
    full_keys = [(bucket_of(taken_at_us), rig_id, taken_at_us) for rig_id, taken_at_us in keys.items()]
    key = sa.tuple_(logs.c.bucket, logs.c.rig_id, logs.c.taken_at_us)
    stored: dict[int, StoredLog] = {}
    for start in range(0, len(full_keys), MANY):
        part = key.in_(
            sa.values(logs.c.bucket, logs.c.rig_id, logs.c.taken_at_us).data(full_keys[start : start + MANY])
        )
        query = sa.select(logs.c.rig_id, logs.c.taken_at_us, logs.c.codec, logs.c.body).where(part)
        rows = [(rig_id, (taken_at_us, codec, body)) for rig_id, taken_at_us, codec, body in await db.execute(query)]
        await load_needed(db, [row[1:] for _, row in rows])
        stored |= {rig_id: readable for rig_id, row in rows if (readable := _stored(*row))}
    return stored


async def delete_rig_logs(db: AsyncConnection, kind: RigKind, rig_id: int) -> None:
    logs = LOGS[kind]
    first, last = await oldest_bucket(db, kind), await newest_bucket(db, kind)
    if first is not None and last is not None:
        for buckets in _days_back(first, last):
            await db.execute(sa.delete(logs).where(logs.c.bucket.in_(buckets), logs.c.rig_id == rig_id))


async def lock_for_deleting(db: AsyncConnection, kind: RigKind, *, older_than_bucket: int) -> None:
    """Before `delete_bucket_part`, in a transaction that locks anything else in between."""
    if db.dialect.name == "postgresql":
        await lock_if_droppable(db, LOGS[kind], before=older_than_bucket)


async def delete_bucket_part(db: AsyncConnection, kind: RigKind, *, older_than_bucket: int, limit: int) -> int:
    """Delete up to about `limit` of the oldest logs before a bucket; returns how many, 0 when there are none left.

    PostgreSQL drops a whole day, once all of it is before the bucket, and that counts as one.
    """
    logs = LOGS[kind]
    if db.dialect.name == "postgresql":
        return int(await drop_oldest_part(db, logs, before=older_than_bucket))
    oldest = await oldest_bucket(db, kind)
    if oldest is None or oldest >= older_than_bucket:
        return 0
    keys = sa.select(logs.c.rig_id, logs.c.taken_at_us).where(logs.c.bucket == oldest).limit(limit).subquery()
    part = sa.select(keys.c.rig_id, keys.c.taken_at_us)
    gone = await db.execute(
        sa.delete(logs).where(logs.c.bucket == oldest, sa.tuple_(logs.c.rig_id, logs.c.taken_at_us).in_(part))
    )
    return gone.rowcount
