"""`commander migrate-data`: every table in batches, in the order of its key, with the place in the same transaction.

So it can be killed at any moment and typed again: it goes on behind the last batch that was committed. If anybody has
written to the source meanwhile, it begins again.
"""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from commander import partitions
from commander.backup.progress import CopyProgress
from commander.backup.swap import check_nothing_pending
from commander.damage import check_database
from commander.database_url import is_postgresql
from commander.db import connect_sqlite, metadata, open_database, sqlite_path
from commander.lock import CommanderRuns, only_commander
from commander.migrate_data import MigrateDataProblem, target
from commander.migrate_data.compare import differences
from commander.migrate_data.source import Row, highest_ever, key_from_text, key_of, key_text, read_rows, stamp_of
from commander.migrations import migrate, tables
from commander.postgresql import Connection, checked_connection, driver_of, explained
from commander.settings import Settings

ROWS_A_BATCH = 2_000
UNHURRIED = {"application_name": "minewarden-migrate-data"}

assert tables  # noqa: S101 - imported for what it adds to the metadata


def copy_farm(settings: Settings, url: str) -> None:
    """Copies the farm to an empty PostgreSQL database.

    Raises `MigrateDataProblem`, `BackupProblem`, `Damage` or `DatabaseProblem`.
    """
    path = _source_of(settings)
    if not is_postgresql(url):
        raise MigrateDataProblem("--to names where the farm goes: postgresql://USER@HOST/DATABASE.")
    check_nothing_pending(settings)
    try:
        with only_commander(settings):
            check_database(settings, is_new=False)
            migrate(path)
            asyncio.run(_move(path, url))
    except CommanderRuns as error:
        raise MigrateDataProblem(f"A commander runs on {settings.data_dir}: stop it first.") from error


def _source_of(settings: Settings) -> Path:
    if is_postgresql(settings.database_url):
        raise MigrateDataProblem(
            "COMMANDER_DATABASE_URL names PostgreSQL already: leave it at the SQLite file until the farm is copied."
        )
    path = sqlite_path(settings.database_url)
    if not path.exists():
        raise MigrateDataProblem(f"There is no farm yet: {path} does not exist.")
    return path


async def _move(path: Path, url: str) -> None:
    stamp, connection = stamp_of(path), await checked_connection(url, **UNHURRIED)
    try:
        if await target.is_whole(connection, stamp):
            return  # killed after its last commit, or typed twice
        with closing(connect_sqlite(path)) as source:
            source.execute("BEGIN")  # one state: no other process may checkpoint over it
            await _prepare(connection, url, stamp)
            for table in metadata.sorted_tables:
                await _copy(source, url, table, connection)
            await _compare(source, connection)
        await target.finish(connection, stamp)
    except target.DRIVER_ERRORS as error:
        raise explained(error, url) from error
    finally:
        await connection.close(timeout=5)


async def _prepare(connection: Connection, url: str, stamp: str) -> None:
    unfinished = await target.check_free(connection)
    if unfinished and await target.is_of(connection, stamp):
        return
    if unfinished:
        CopyProgress("migrate-data").show("the farm has changed since an earlier try; the copy starts again", now=True)
        await target.clear(connection)
    await asyncio.to_thread(migrate, url)
    await target.begin(connection, stamp)


async def _copy(source: sqlite3.Connection, url: str, table: sa.Table, connection: Connection) -> None:
    copied, last_key, is_done = await target.progress_of(connection, table.name)
    if is_done:
        return
    progress = CopyProgress(f"migrate-data: {table.name}")
    total: int = source.execute(f"SELECT count(*) FROM {table.name}").fetchone()[0]  # noqa: S608 - own name
    after = key_from_text(last_key) if last_key else None
    async with open_database(url) as database:
        while rows := read_rows(source, table, after=after, limit=ROWS_A_BATCH):
            after, copied = key_of(table, rows[-1]), copied + len(rows)
            async with database.transaction() as db:
                await _put(db, table, rows, copied, key_text(after))
            progress.show(f"{copied:,} of {total:,} rows, {100 * copied // max(1, total)} %")
    await _go_on_counting(connection, table, highest_ever(source, table))
    await target.note(connection, table.name, copied, key_text(after) if after else None, is_done=True)
    progress.end(f"{copied:,} rows")


async def _put(db: AsyncConnection, table: sa.Table, rows: list[Row], copied: int, last_key: str) -> None:
    await db.exec_driver_sql("SET LOCAL synchronous_commit = off")  # the last note of the table waits for the disk
    if by := partitions.partitioning_of(table):
        place = list(table.columns.keys()).index(by.column)
        await partitions.make_partitions(db, table, partitions.parts_of(table, (int(str(row[place])) for row in rows)))
    driver = await driver_of(db)
    await driver.copy_records_to_table(table.name, records=rows, columns=list(table.columns.keys()))
    await target.note(driver, table.name, copied, last_key)


async def _go_on_counting(connection: Connection, table: sa.Table, highest: int) -> None:
    """The next id is one that was never given."""
    for column in table.primary_key.columns:
        sequence = await connection.fetchval("SELECT pg_get_serial_sequence($1, $2)", table.name, column.name)
        if sequence is not None:
            there = await connection.fetchval(f"SELECT coalesce(max({column.name}), 0) FROM {table.name}")  # noqa: S608 - own names
            if highest := max(highest, there):
                await connection.execute("SELECT setval($1::text::regclass, $2)", sequence, highest)


async def _compare(source: sqlite3.Connection, connection: Connection) -> None:
    progress = CopyProgress("migrate-data")
    for table in metadata.sorted_tables:
        progress.show(f"comparing {table.name}", now=True)
        if await differences(source, connection, table):
            await target.clear(connection)
            raise MigrateDataProblem(f"The copy of {table.name} differs from the original; it was removed. Try again.")
    progress.end("all tables compared, counts and sums are the same,")
