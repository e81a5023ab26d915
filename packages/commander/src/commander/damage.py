"""Checks the data directory and its database before a commander starts on them.

A farm that was lost must not be replaced by an empty one without a word: its sentries would all be refused.
"""

import asyncio
import os
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from commander.db import is_postgresql, open_database, sqlite_path
from commander.migrations import sqlite_revision
from commander.problems import DatabaseProblem
from commander.settings import Settings, read_file

WAL_HEADER_BYTES = 32
WAL_MAGIC = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83")
SECRET_SETTINGS = frozenset({"password", "database_url", "nats_url", "backup_passphrase", "heartbeat_url"})


class Damage(Exception):
    """The commander does not start on this; the text says what is wrong and what to do."""


def check_modes(settings: Settings) -> None:
    """Raises `Damage` if other users of this machine may change the folder, or read what is secret in it."""
    if os.name != "posix":
        return
    folder = settings.data_dir
    if _mode(folder) & stat.S_IWOTH:
        raise Damage(
            f"Every user of this machine may write in {folder}, and so take over the farm. Type: chmod 700 {folder}"
        )
    for path, may_read in _private_files(settings):
        wrong = stat.S_IWOTH if may_read else stat.S_IWOTH | stat.S_IROTH
        if _mode(path.parent) & stat.S_IXOTH and _mode(path) & wrong:
            can = "write" if _mode(path) & stat.S_IWOTH else "read"
            raise Damage(f"Every user of this machine may {can} {path}. Type: chmod 600 {path}")


def _private_files(settings: Settings) -> Iterator[tuple[Path, bool]]:
    """Gives each file, and whether others may read it."""
    file = settings.data_dir / "commander.toml"
    if file.exists():
        yield file, SECRET_SETTINGS.isdisjoint(read_file(file))
    if not is_postgresql(settings.database_url):
        database = sqlite_path(settings.database_url)
        yield from ((path, False) for path in (database, _wal(database)) if path.exists())
    for folder in filter(None, (settings.data_dir / "tls", settings.ca_dir)):
        yield from ((path, False) for path in sorted(folder.glob("*.key")))


def _mode(path: Path) -> int:
    return path.stat().st_mode


def check_database(settings: Settings, *, is_new: bool) -> None:
    """Raises `Damage` or `DatabaseProblem`. `is_new`: the operator wants a new farm."""
    if is_postgresql(settings.database_url):
        has_farm = asyncio.run(_postgresql_has_farm(settings.database_url))
        place = "the PostgreSQL database of COMMANDER_DATABASE_URL"
    else:
        path = sqlite_path(settings.database_url)
        _check_wal(path)
        has_farm, place = path.exists() and _sqlite_has_farm(path), str(path)
    if has_farm or is_new or not (settings.data_dir / "tls" / "ca.key").exists():
        return
    raise Damage(
        f"{settings.data_dir / 'tls'} holds the CA of a farm, but {place} holds no farm: it is missing or empty, "
        "or its newest changes are lost. Put a backup back with `commander restore --force FILE`. Or begin a new farm "
        "with `commander serve --new`; then every sentry needs a new token."
    )


def _sqlite_has_farm(path: Path) -> bool:
    """Returns whether the file has tables and a password. Raises `DatabaseProblem` for a file that is damaged."""
    try:
        with closing(sqlite3.connect(path, timeout=15)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            if sqlite_revision(connection) is None:
                return False
            return bool(connection.execute("SELECT count(*) FROM secrets").fetchone()[0])
    except sqlite3.Error as error:
        raise DatabaseProblem(
            f"{path} can't be read ({error}). Put a backup back with `commander restore --force FILE`."
        ) from error


async def _postgresql_has_farm(url: str) -> bool:
    import sqlalchemy as sa

    async with open_database(url) as database, database.reading() as db:
        for table in ("alembic_version", "secrets"):
            if (await db.execute(sa.text(f"SELECT to_regclass('{table}')"))).scalar_one() is None:
                return False
        return bool((await db.execute(sa.text("SELECT count(*) FROM secrets"))).scalar_one())


def _check_wal(path: Path) -> None:
    """Raises `Damage` if the newest changes, which SQLite keeps in a file of their own, are missing or unreadable.

    SQLite itself would go on without them and say nothing.
    """
    wal, index = _wal(path), path.with_name(f"{path.name}-shm")
    way_on = (
        "Put the file back, or restore a backup with `commander restore --force FILE`. Or go on without the newest "
        "changes: remove "
    )
    if index.exists() and not wal.exists() and path.exists():
        raise Damage(
            f"{wal} is missing. The commander was killed, and its newest changes were in that file. {way_on}{index}."
        )
    if wal.exists() and wal.stat().st_size and not _is_wal(wal):
        raise Damage(f"{wal} is damaged, and the newest changes of the farm are in it. {way_on}{wal} and {index}.")


def _is_wal(wal: Path) -> bool:
    with wal.open("rb") as file:
        header = file.read(WAL_HEADER_BYTES)
    return header.startswith(WAL_MAGIC) or not any(header)  # zeros: a start that was killed before its first change


def _wal(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")
