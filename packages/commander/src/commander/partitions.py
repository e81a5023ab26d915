"""Tables that PostgreSQL keeps in parts by time. The `info` of a table names the column of the time.

A part is made beside the table and then attached to it: that hinders neither intake nor a backup that runs for an hour.
On SQLite there are no parts, and nothing here is called.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from commander.db import Database, metadata, to_us

DAY_US = 86_400_000_000
PARTS_LOCK = 0x4D57_0002
_INFO = "partitioning"


class Partitioning(NamedTuple):
    """`column` counts steps of `unit_us` microseconds since 1970, and a part holds `days` of them."""

    column: str
    unit_us: int
    days: int

    @property
    def width(self) -> int:
        return self.days * DAY_US // self.unit_us

    @property
    def info(self) -> dict[str, "Partitioning"]:
        """Returns the argument for `sa.Table(…, info=…)`. The table's migration has `PARTITION BY RANGE` itself."""
        return {_INFO: self}


def partitioning_of(table: sa.Table) -> Partitioning | None:
    partitioning: Partitioning | None = table.info.get(_INFO)
    return partitioning


def partitioned_tables() -> list[sa.Table]:
    return [table for table in metadata.sorted_tables if partitioning_of(table)]


def parts_of(table: sa.Table, values: Iterable[int]) -> set[int]:
    """The numbers of the parts that hold these values of the column."""
    width = _of(table).width
    return {value // width for value in values}


async def make_partitions(db: AsyncConnection, table: sa.Table, numbers: Iterable[int]) -> None:
    """Make those that are missing; in a transaction of their own, so that intake never waits for it."""
    await db.execute(sa.select(sa.func.pg_advisory_xact_lock(PARTS_LOCK)))
    there = set(await existing_parts(db, table))
    width = _of(table).width
    for number in sorted(set(numbers) - there):
        name = part_name(table, number)
        bounds = f"FROM ({number * width}) TO ({(number + 1) * width})"
        await db.exec_driver_sql(f"CREATE TABLE {name} (LIKE {table.name} INCLUDING ALL)")
        await db.exec_driver_sql(f"ALTER TABLE {table.name} ATTACH PARTITION {name} FOR VALUES {bounds}")


async def add_missing_parts(database: Database, table: sa.Table, values: Iterable[int]) -> None:
    """Those that rows with these values of the column need; nothing is locked if they are there."""
    needed = parts_of(table, values)
    async with database.reading() as db:
        there = set(await existing_parts(db, table))
    if missing := needed - there:
        async with database.transaction() as db:
            await make_partitions(db, table, missing)


async def make_partitions_ahead(db: AsyncConnection, *, now: datetime) -> None:
    """Today's part and the next one, of every table."""
    for table in partitioned_tables():
        by = _of(table)
        number = to_us(now) // by.unit_us // by.width
        await make_partitions(db, table, (number, number + 1))


async def lock_if_droppable(db: AsyncConnection, table: sa.Table, *, before: int) -> None:
    """Takes the lock of `drop_oldest_part` early, for a transaction that locks other tables first.

    Each writer locks this table first. A transaction that locked it last would wait for writers that wait for it.
    """
    if await _droppable(db, table, before) is not None:
        await db.exec_driver_sql("SET LOCAL lock_timeout = '1s'")
        await db.exec_driver_sql(f"LOCK TABLE ONLY {table.name} IN ACCESS EXCLUSIVE MODE")


async def drop_oldest_part(db: AsyncConnection, table: sa.Table, *, before: int) -> bool:
    """Drop the oldest part if all that it holds is before this value of the column; False if there is none.

    It waits a second at most for those who read it, a backup for one, and then fails: the next time will do.
    """
    oldest = await _droppable(db, table, before)
    if oldest is None:
        return False
    await db.exec_driver_sql("SET LOCAL lock_timeout = '1s'")
    await db.exec_driver_sql(f"DROP TABLE {part_name(table, oldest)}")
    return True


async def _droppable(db: AsyncConnection, table: sa.Table, before: int) -> int | None:
    oldest = min(await existing_parts(db, table), default=None)
    return oldest if oldest is not None and (oldest + 1) * _of(table).width <= before else None


async def existing_parts(db: AsyncConnection, table: sa.Table) -> list[int]:
    query = sa.text(
        "SELECT child.relname FROM pg_inherits JOIN pg_class child ON child.oid = inhrelid "
        "WHERE inhparent = CAST(:name AS regclass)"
    )
    prefix = part_name(table, "")
    return sorted(int(name.removeprefix(prefix)) for (name,) in await db.execute(query, {"name": table.name}))


def part_name(table: sa.Table, number: int | str) -> str:
    return f"{table.name}_p{number}"


def _of(table: sa.Table) -> Partitioning:
    by = partitioning_of(table)
    if by is None:
        raise ValueError(f"{table.name} is not kept in parts")
    return by
