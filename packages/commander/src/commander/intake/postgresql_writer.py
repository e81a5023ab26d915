"""Logs into PostgreSQL: `COPY` into a staging table, and from there what is new, in one transaction."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import asyncpg
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from commander import partitions
from commander.db import Database
from commander.postgresql import driver_of, explained
from commander.raw_logs.codec import Packer
from commander.raw_logs.dirty_hours import DueHours, mark_due
from commander.raw_logs.store import NewLog
from commander.raw_logs.tables import LOGS, bucket_of
from commander.registry.kinds import RigKind
from commander.registry.tables import RIGS

Key = tuple[int, int]
Row = tuple[int, int, int, int, bytes]
COLUMNS = ("bucket", "rig_id", "taken_at_us", "codec", "body")


class PostgresqlWriter:
    def __init__(self, database: Database, thread: ThreadPoolExecutor, packer: Packer) -> None:
        self._database = database
        self._thread = thread
        self._packer = packer
        self._due = DueHours()
        self._parts: dict[RigKind, set[int]] = defaultdict(set)  # those that were seen to be there

    async def write(self, logs: Sequence[NewLog]) -> list[bool | None]:
        packed = await asyncio.get_running_loop().run_in_executor(self._thread, self._pack, logs)
        try:
            try:
                return await self._write(logs, packed)
            except (asyncpg.CheckViolationError, asyncpg.DeadlockDetectedError):
                # Another commander has dropped an old part since, or was chosen to go first.
                self._parts.clear()
                return await self._write(logs, packed)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, sa.exc.SQLAlchemyError, OSError) as error:
            raise explained(error, self._database.url) from error

    def _pack(self, logs: Sequence[NewLog]) -> dict[RigKind, dict[Key, Row]]:
        """Rows by kind and key; of the same log twice in one batch the first counts."""
        packed: dict[RigKind, dict[Key, Row]] = defaultdict(dict)
        for log in logs:
            rows, key = packed[log.kind], (log.rig_id, log.taken_at_us)
            if key not in rows:
                rows[key] = (bucket_of(log.taken_at_us), *key, *self._packer.pack(log.kind, log.body))
        return packed

    async def _write(self, logs: Sequence[NewLog], packed: dict[RigKind, dict[Key, Row]]) -> list[bool | None]:
        for kind, rows in packed.items():
            await self._make_parts(kind, rows.values())
        rig_ids: dict[RigKind, set[int]] = {}
        stored: dict[RigKind, set[Key]] = {}
        async with self._database.transaction() as db:
            for kind in sorted(packed):  # the same order in every commander: none waits for one that waits for it
                rig_ids[kind], stored[kind] = await _store(db, kind, list(packed[kind].values()))
            hours = [hour for kind, keys in stored.items() for hour in self._due.to_mark(kind, keys)]
            await mark_due(db, hours)
        self._due.marked(hours)
        return [_answer(log, rig_ids[log.kind], stored[log.kind]) for log in logs]

    async def _make_parts(self, kind: RigKind, rows: Iterable[Row]) -> None:
        missing = partitions.parts_of(LOGS[kind], (row[0] for row in rows)) - self._parts[kind]
        if missing:
            async with self._database.transaction() as db:
                await partitions.make_partitions(db, LOGS[kind], missing)
            self._parts[kind] |= missing


def _answer(log: NewLog, rig_ids: set[int], stored: set[Key]) -> bool | None:
    """Takes the key away, so that the same log a second time is the duplicate."""
    if log.rig_id not in rig_ids:
        return None
    key = (log.rig_id, log.taken_at_us)
    if key in stored:
        stored.remove(key)
        return True
    return False


_STAGE = {
    kind: sa.text(f"CREATE TEMP TABLE IF NOT EXISTS staged_{table.name} (LIKE {table.name}) ON COMMIT DELETE ROWS")
    for kind, table in LOGS.items()
}
# Sorted: two commanders that store the same logs wait for each other in one direction only.
_STORE = {
    kind: f"INSERT INTO {table.name} SELECT {', '.join(COLUMNS)} FROM staged_{table.name} "  # noqa: S608 - own names
    "ORDER BY bucket, rig_id, taken_at_us ON CONFLICT DO NOTHING RETURNING rig_id, taken_at_us"
    for kind, table in LOGS.items()
}
# The lock keeps a rig from being removed between this look and the commit; a removal waits and then finds its logs.
_SEEK_RIGS = {
    kind: f"SELECT id FROM {table.name} WHERE id = ANY($1::int[]) ORDER BY id FOR KEY SHARE"  # noqa: S608 - own names
    for kind, table in RIGS.items()
}


async def _store(db: AsyncConnection, kind: RigKind, rows: list[Row]) -> tuple[set[int], set[Key]]:
    """Stores the rows of existing rigs; returns these rigs, and the keys of the rows that are new."""
    await db.execute(_STAGE[kind])
    driver = await driver_of(db)
    try:
        records = await driver.fetch(_SEEK_RIGS[kind], list({row[1] for row in rows}))
        rig_ids = {record[0] for record in records}
        if len(rig_ids) < len({row[1] for row in rows}):
            rows = [row for row in rows if row[1] in rig_ids]
        await driver.copy_records_to_table(f"staged_{LOGS[kind].name}", records=rows, columns=COLUMNS)
        stored = await driver.fetch(_STORE[kind])
    except OSError:
        driver.terminate()  # who does not answer in time would not answer a ROLLBACK either
        raise
    return rig_ids, {(record[0], record[1]) for record in stored}
