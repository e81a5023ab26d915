"""PostgreSQL's side of backup and restore: its own programs, in one snapshot and in one transaction."""

import asyncio
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import IO

import asyncpg

from commander.backup import BackupProblem
from commander.backup.archive import CHUNK, DATABASE, Archive, Manifest, manifest_of
from commander.backup.progress import CopyProgress
from commander.backup.tools import tool, without_password
from commander.db import metadata
from commander.migrations.revisions import check_known
from commander.partitions import part_name, partitioning_of
from commander.postgresql import SCHEMA_LOCK, Connection, checked_connection, explained, lock_now, other_commanders

VERSION_TABLE = "alembic_version"


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Connection]:
    connection = await checked_connection(url, application_name="minewarden-backup")
    try:
        yield connection
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise explained(error, url) from error
    finally:
        await connection.close(timeout=5)


async def dump(url: str, archive: Archive, progress: CopyProgress) -> Manifest:
    """Writes the farm as of one moment; intake and everything else go on."""
    async with connected(url) as connection:
        program = tool("pg_dump", server_major=connection.get_server_version().major)
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            revision = await revision_of(connection)
            if revision is None:
                raise BackupProblem("There is no farm yet in this database.")
            snapshot = await connection.fetchval("SELECT pg_export_snapshot()")
            await asyncio.to_thread(_dump, [program, *_dump_options(snapshot)], url, archive, progress)
    return manifest_of("postgresql", revision)


def _dump_options(snapshot: str) -> list[str]:
    options = ["--format=custom", "--compress=1", "--no-owner", "--no-privileges", "--no-tablespaces"]
    options += ["--lock-wait-timeout=20s", f"--snapshot={snapshot}", f"--table={VERSION_TABLE}"]
    for table in metadata.sorted_tables:
        options.append(f"--table={table.name}")
        if partitioning_of(table):
            options.append(f"--table={part_name(table, '*')}")
    return options


def _dump(command: list[str], url: str, archive: Archive, progress: CopyProgress) -> None:
    place, environment = without_password(url)
    with tempfile.TemporaryFile("w+") as complaints:
        process = subprocess.Popen(  # noqa: S603 - PostgreSQL's own program
            [*command, f"--dbname={place}", "--no-password"],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=complaints,
        )
        with process:
            assert process.stdout is not None  # noqa: S101 - it is a pipe
            archive.add(DATABASE, _counted(process.stdout, progress))
        if process.returncode:
            raise BackupProblem(f"pg_dump failed: {_complaint(complaints)}")


def _counted(source: IO[bytes], progress: CopyProgress) -> Iterator[bytes]:
    done = 0
    while chunk := source.read(CHUNK):
        done += len(chunk)
        progress.bytes(done)
        yield chunk


async def revision_of(connection: Connection) -> str | None:
    if await connection.fetchval("SELECT to_regclass($1)", VERSION_TABLE) is None:
        return None
    revision: str | None = await connection.fetchval(f"SELECT version_num FROM {VERSION_TABLE}")  # noqa: S608 - own name
    check_known(revision)
    return revision


@asynccontextmanager
async def alone(url: str) -> AsyncIterator[Connection]:
    """Gives a connection while no commander uses the database; one that starts now waits. Raises `BackupProblem`."""
    async with connected(url) as connection:
        if not await lock_now(connection, SCHEMA_LOCK):
            raise BackupProblem("Another command changes this database now; try again when it is done.")
        if await other_commanders(connection):
            raise BackupProblem("A commander runs on this database: stop it first, on whichever machine it is.")
        yield connection


async def refill(connection: Connection, url: str, dumped: Path, manifest: Manifest, *, restore_id: str) -> None:
    """Put the dump in the place of what is there: in one transaction, so an interruption leaves what was there."""
    major = connection.get_server_version().major
    names = sorted({VERSION_TABLE, *manifest.tables, *(table.name for table in metadata.sorted_tables)})
    first = f"BEGIN;\nSET lock_timeout = '20s';\nDROP TABLE IF EXISTS {', '.join(names)};\n"
    last = f"RESET search_path;\nDELETE FROM sessions;\nCOMMENT ON TABLE {VERSION_TABLE} IS '{restore_id}';\nCOMMIT;\n"
    programs = tool("pg_restore", server_major=major), tool("psql", server_major=0)
    await asyncio.to_thread(_refill, *programs, url, dumped, first, last)


def _refill(pg_restore: str, psql: str, url: str, dumped: Path, first: str, last: str) -> None:
    """Sends `last` only after the whole dump. Without its COMMIT everything is undone, whichever process was killed."""
    place, environment = without_password(url)
    quiet = ["--no-psqlrc", "--quiet", "--no-password", "--output=/dev/null", "--set=ON_ERROR_STOP=1"]
    with tempfile.TemporaryFile("w+") as complaints:
        reading = subprocess.Popen(  # noqa: S603 - PostgreSQL's own program
            [pg_restore, "--no-owner", "--no-privileges", "--file=-", str(dumped)],
            stdout=subprocess.PIPE,
            stderr=complaints,
        )
        writing = subprocess.Popen(  # noqa: S603 - PostgreSQL's own program
            [psql, *quiet, f"--dbname={place}"], env=environment, stdin=subprocess.PIPE, stderr=complaints
        )
        try:
            _pour(reading, writing, first, last)
        except BrokenPipeError:
            reading.kill()
            _let_go(writing)
        finally:
            with reading, writing:
                pass
        if reading.returncode or writing.returncode:
            raise BackupProblem(f"PostgreSQL did not take the backup; nothing was changed: {_complaint(complaints)}")


def _pour(reading: "subprocess.Popen[bytes]", writing: "subprocess.Popen[bytes]", first: str, last: str) -> None:
    assert reading.stdout is not None  # noqa: S101 - they are pipes
    assert writing.stdin is not None  # noqa: S101
    writing.stdin.write(first.encode())
    while chunk := reading.stdout.read(CHUNK):
        writing.stdin.write(chunk)
    if reading.wait() == 0:
        writing.stdin.write(last.encode())
    writing.stdin.close()


def _let_go(writing: "subprocess.Popen[bytes]") -> None:
    """Closes the pipe to a process that has ended. What is left in the buffer is lost."""
    assert writing.stdin is not None  # noqa: S101 - it is a pipe
    with suppress(BrokenPipeError):
        writing.stdin.close()


async def was_committed(url: str, restore_id: str) -> bool:
    async with connected(url) as connection:
        query = "SELECT obj_description(to_regclass($1), 'pg_class')"
        return bool(await connection.fetchval(query, VERSION_TABLE) == restore_id)


def _complaint(complaints: IO[str]) -> str:
    complaints.seek(0)
    lines = complaints.read().strip().splitlines() or ["it said nothing"]
    return next((line for line in lines if "ERROR" in line), lines[-1])
