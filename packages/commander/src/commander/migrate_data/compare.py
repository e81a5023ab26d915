"""Compares the copy with the original: counts and sums of every column, and small tables row by row."""

import hashlib
import sqlite3
from collections.abc import Iterable

import sqlalchemy as sa

from commander.migrate_data.source import Row, read_rows
from commander.postgresql import Connection

SMALL = 20_000  # rows
PRIME = 1_000_003  # sums of remainders stay small, however large the numbers are


async def differences(source: sqlite3.Connection, target: Connection, table: sa.Table) -> bool:
    mine = source.execute(_query(table, "sqlite")).fetchone()
    theirs = await target.fetchrow(_query(table, "postgresql"))
    if tuple(map(int, mine)) != tuple(map(int, theirs or ())):
        return True
    if mine[0] > SMALL:
        return False
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    rows = await target.fetch(f"SELECT {columns} FROM {table.name}")  # noqa: S608 - own names
    return _content(read_rows(source, table, after=None, limit=SMALL)) != _content(tuple(row) for row in rows)


def _query(table: sa.Table, dialect: str) -> str:
    parts = ["count(*)"]
    for column in table.columns:
        name = f'"{column.name}"'
        parts += [f"count({name})", f"coalesce(sum({_measure(column, name, dialect)}), 0)"]
    return f"SELECT {', '.join(parts)} FROM {table.name}"  # noqa: S608 - own names


def _measure(column: sa.Column[object], name: str, dialect: str) -> str:
    """A whole number that both databases make of the same value."""
    kind = column.type.impl if isinstance(column.type, sa.types.TypeDecorator) else column.type
    if isinstance(kind, sa.Integer):
        return f"{name} % {PRIME}"
    if isinstance(kind, sa.Boolean):
        return f"CAST({name} AS integer)"
    if isinstance(kind, sa.LargeBinary | sa.String):
        return f"length(CAST({name} AS blob))" if dialect == "sqlite" else f"octet_length({name})"
    return "0"


def _content(rows: Iterable[Row]) -> int:
    """Returns a sum that does not depend on the order of the rows: the two databases sort text differently."""
    total = 0
    for row in rows:
        total += int.from_bytes(hashlib.sha256(repr(row).encode()).digest())
    return total
