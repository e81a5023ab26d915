"""The SQLite side of a move: any table of the commander, in the order of its key, as values that PostgreSQL takes."""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path

import msgspec
import sqlalchemy as sa

from commander.db import connect_sqlite

Value = int | float | str | bytes | bool | datetime | None
Row = tuple[Value, ...]
# What SQLite keeps in another form than PostgreSQL. Everything else is the same in both.
CONVERTED: dict[type, Callable[[object], Value]] = {
    sa.Boolean: bool,
    sa.Float: lambda value: float(str(value)),
    sa.DateTime: lambda value: datetime.fromisoformat(str(value)),
}
SAME = (sa.Integer, sa.String, sa.LargeBinary, sa.JSON)


def read_rows(source: sqlite3.Connection, table: sa.Table, *, after: Row | None, limit: int) -> list[Row]:
    """The next rows by the table's key, as they are to be copied."""
    columns = ", ".join(_quoted(column.name) for column in table.columns)
    keys = [_quoted(column.name) for column in table.primary_key.columns]
    beyond = f"WHERE ({', '.join(keys)}) > ({', '.join('?' * len(keys))}) " if after is not None else ""
    query = f"SELECT {columns} FROM {table.name} {beyond}ORDER BY {', '.join(keys)} LIMIT {limit}"  # noqa: S608 - own names
    converters = {place: converter for place, column in enumerate(table.columns) if (converter := converter_of(column))}
    rows = source.execute(query, after or ()).fetchall()
    return [_converted(row, converters) for row in rows] if converters else rows


def converter_of(column: sa.Column[object]) -> Callable[[object], Value] | None:
    kind = column.type.impl if isinstance(column.type, sa.types.TypeDecorator) else column.type
    return next((convert for column_type, convert in CONVERTED.items() if isinstance(kind, column_type)), None)


def _converted(row: Sequence[object], converters: dict[int, Callable[[object], Value]]) -> Row:
    values: list[Value] = list(row)  # type: ignore[arg-type]  # SQLite has no other values than these
    for place, convert in converters.items():
        if row[place] is not None:
            values[place] = convert(row[place])
    return tuple(values)


def key_of(table: sa.Table, row: Row) -> Row:
    places = {column.name: place for place, column in enumerate(table.columns)}
    return tuple(row[places[column.name]] for column in table.primary_key.columns)


def key_text(key: Row) -> str:
    """For the checkpoint; bytes are written as hexadecimal digits in a list of their own."""
    return msgspec.json.encode([[value.hex()] if isinstance(value, bytes) else value for value in key]).decode()


def key_from_text(text: str) -> Row:
    return tuple(bytes.fromhex(value[0]) if isinstance(value, list) else value for value in msgspec.json.decode(text))


def highest_ever(source: sqlite3.Connection, table: sa.Table) -> int:
    """The highest id that the table has given, even if that row is gone: no id is ever given twice."""
    row = source.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table.name,)).fetchone()
    return int(row[0]) if row else 0


def stamp_of(path: Path) -> str:
    """Returns a text that changes with each write to the database."""
    with closing(connect_sqlite(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    facts = path.stat()
    return f"{path}:{facts.st_size}:{facts.st_mtime_ns}"


def _quoted(name: str) -> str:
    return f'"{name}"'
