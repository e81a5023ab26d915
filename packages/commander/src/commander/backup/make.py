"""`commander backup`: a consistent copy of the farm, while it runs."""

import asyncio
import os
import secrets
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path

from commander.backup import BackupProblem
from commander.backup.archive import (
    DATABASE,
    TLS_FILES,
    Archive,
    Manifest,
    chunks_of,
    manifest_of,
    new_archive,
    new_private_file,
    sync_folder,
)
from commander.backup.passphrase import checked_passphrase
from commander.backup.progress import CopyProgress, mebibytes
from commander.backup.swap import check_nothing_pending
from commander.backup.unfinished import hold, remove_left_overs
from commander.database_url import is_postgresql
from commander.db import connect_sqlite, sqlite_path
from commander.migrations import sqlite_revision, tables
from commander.migrations.revisions import check_known
from commander.settings import Settings

PAGES_A_STEP = 256  # 1 MiB
REST_S = 0.002  # between steps: the disk is the intake's too

assert tables  # noqa: S101 - imported for what it adds to the metadata


def backup(settings: Settings, path: Path, *, passphrase: str | None = None) -> None:
    """Writes a backup, which is encrypted if there is a passphrase.

    Raises `BackupProblem` or `DatabaseProblem`; then there is no file.
    """
    check_nothing_pending(settings)
    if passphrase is not None:
        checked_passphrase(passphrase)
    path = path.expanduser().absolute()
    if not path.parent.is_dir():
        raise BackupProblem(f"There is no folder {path.parent}.")
    for folder in {path.parent, settings.data_dir}:
        remove_left_overs(folder, sqlite_path(settings.database_url).name)
    progress = CopyProgress("backup")
    with new_archive(path, passphrase) as archive:
        if is_postgresql(settings.database_url):
            from commander.backup.on_postgresql import dump

            manifest = asyncio.run(dump(settings.database_url, archive, progress))
        else:
            folder = _folder_for_copy(settings, path, is_encrypted=passphrase is not None)
            manifest = _copy_sqlite(sqlite_path(settings.database_url), folder, archive, progress)
        for name in TLS_FILES:
            if (file := settings.data_dir / "tls" / name).exists():
                archive.add(f"tls/{name}", [file.read_bytes()])
        archive.finish(manifest)
    progress.end(f"{path} written, {mebibytes(path.stat().st_size)},")


def _folder_for_copy(settings: Settings, path: Path, *, is_encrypted: bool) -> Path:
    """Returns where the database is copied to first, in clear: beside the backup, or in the data directory if the
    backup is encrypted or others may write to its folder."""
    facts = path.parent.stat()
    is_own = sys.platform == "win32" or (facts.st_uid in (0, os.getuid()) and not facts.st_mode & 0o022)
    return path.parent if is_own and not is_encrypted else settings.data_dir


def _copy_sqlite(database: Path, folder: Path, archive: Archive, progress: CopyProgress) -> Manifest:
    if not database.exists():
        raise BackupProblem(f"There is no farm yet: {database} does not exist.")
    copy = folder / f".{database.name}.{secrets.token_hex(8)}.copy"
    try:
        with new_private_file(copy) as held:
            hold(held)
            revision = copy_database(database, copy, progress)
            with copy.open("rb") as source:
                archive.add(DATABASE, chunks_of(source))
    finally:
        for suffix in ("", "-journal", "-wal", "-shm"):
            copy.with_name(copy.name + suffix).unlink(missing_ok=True)
        sync_folder(folder)
    return manifest_of("sqlite", revision)


def copy_database(database: Path, copy: Path, progress: CopyProgress) -> str:
    """Copy page by page, as of now, into an empty or new file; returns the schema's revision.

    SQLite's online backup begins again whenever another process has written, which on a farm is always. The open
    transaction keeps it to one state: writers go on in the WAL, which grows until the copy is done.
    """

    def step(_status: int, remaining: int, total: int) -> None:
        progress.bytes((total - remaining) * page_bytes, total * page_bytes)
        time.sleep(REST_S)

    with closing(connect_sqlite(database)) as source, closing(sqlite3.connect(copy)) as target:
        target.execute("PRAGMA synchronous=OFF")  # the archive that it goes into is synced
        page_bytes = source.execute("PRAGMA page_size").fetchone()[0]
        source.execute("BEGIN")
        revision = sqlite_revision(source)
        check_known(revision)
        if revision is None:
            raise BackupProblem(f"{database} is not a commander's database.")
        source.backup(target, pages=PAGES_A_STEP, progress=step)
        source.execute("ROLLBACK")
    return revision
