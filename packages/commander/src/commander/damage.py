"""Checks the data directory and its database before a commander starts on them.

A farm that was lost must not be replaced by an empty one without a word: its sentries would all be refused.
"""

import asyncio
import logging
import os
import sqlite3
import stat
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from commander.database_number import forget_number, number_file, read_number
from commander.database_url import is_postgresql
from commander.db import open_database, sqlite_path, wal_of
from commander.migrations import sqlite_revision
from commander.problems import CommandProblem, DatabaseProblem
from commander.settings import Settings, read_file
from commander.sqlite_wal import HEADER_BYTES, WalContent, read_wal, read_wal_index, user_version_of

FIRST_BYTES = 100  # of an SQLite database: its header
SQLITE_MARK = b"SQLite format 3\0"  # its beginning; a later check reports a file without it
LARGE_WAL_BYTES = 50 * 1024 * 1024
LOOK_AGAIN_AFTER_S = 1.0
SECRET_SETTINGS = frozenset({"password", "database_url", "nats_url", "backup_passphrase", "heartbeat_url"})
log = logging.getLogger(__name__)


class Damage(CommandProblem):
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
        yield from ((path, False) for path in (database, wal_of(database)) if path.exists())
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
        if path.exists():
            _check_newest_changes(path.resolve())  # SQLite keeps its other files beside the file that a link names
        has_farm, place = path.exists() and _sqlite_has_farm(path), str(path)
    if has_farm:
        return
    if not is_new and (settings.data_dir / "tls" / "ca.key").exists():
        raise Damage(
            f"{settings.data_dir / 'tls'} holds the CA of a farm, but {place} holds no farm: it is missing or empty, "
            "or its newest changes are lost. Put a backup back with `commander restore --force FILE`. Or begin a new "
            "farm with `commander serve --new`; then every sentry needs a new token."
        )
    if not is_postgresql(settings.database_url):
        forget_number(sqlite_path(settings.database_url))


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


def _check_newest_changes(path: Path) -> None:
    """Raises `Damage` if changes are lost that SQLite kept in the write-ahead log, a file of its own.

    SQLite itself would go on without them and say nothing. It looks twice: a command that ends meanwhile changes the
    files that are read here one after the other.
    """
    if _damage_of(path):
        time.sleep(LOOK_AGAIN_AFTER_S)
        if damage := _damage_of(path):
            raise damage


def _damage_of(path: Path) -> Damage | None:
    wal, index = wal_of(path), path.with_name(f"{path.name}-shm")
    try:
        if wal.exists() and wal.stat().st_size > LARGE_WAL_BYTES:
            log.info("%s is large: to read it may take a minute or more.", wal)
        has_frames = wal.exists() and _has_frames(wal)
        content = read_wal(wal) if has_frames else None
        wrong, went_back = _wrong_wal(wal, index, content, has_frames=has_frames), _went_back(path, content)
        number = number_file(path) if wrong and _went_back(path, None) else None
    except FileNotFoundError:  # another process has copied all of it into the database, and removed it
        return None
    if wrong:
        files = " and ".join(str(file) for file in (wal, index, number) if file and file.exists())
        return Damage(
            f"{wal} {wrong}. The newest changes of the farm were in that file: those since SQLite last copied them "
            f"into the database, mostly those of the last minutes. Put the file back, or restore a backup with "
            f"`commander restore --force FILE`. Or go on without the newest changes: remove {files}."
        )
    if went_back:
        return Damage(
            f"{path} is older than the database that the commander last wrote: the newest changes of "
            f"the farm are lost, because {wal} was removed or an earlier copy took the place of the database. Put the "
            "files back, or restore a backup with `commander restore --force FILE`. Or go on with the database as it "
            f"is: remove {number_file(path)}."
        )
    return None


def _wrong_wal(wal: Path, index_file: Path, content: WalContent | None, *, has_frames: bool) -> str:
    """Returns how the sentence about a WAL goes on if it has lost changes; else an empty text."""
    index = read_wal_index(index_file)
    if not wal.exists():
        is_lost = index_file.exists() and (index is None or index.has_more)
        return "is missing" if is_lost else ""
    if not has_frames:  # so it begins with zeros after a start that was killed before its first change
        return "is damaged" if index and index.has_more else ""
    if content is None or content.loses_more:
        return "is damaged"
    is_same = index is not None and index.salts == content.salts
    return "is damaged" if index and is_same and index.committed_frames > content.committed_frames else ""


def _has_frames(wal: Path) -> bool:
    with wal.open("rb") as file:
        return any(file.read(HEADER_BYTES))


def _went_back(path: Path, content: WalContent | None) -> bool:
    """Returns whether the number of the database is below the number in the file beside it."""
    newest = read_number(path)
    if newest is None:
        return False
    if content is not None and content.user_version is not None:
        return content.user_version < newest
    with path.open("rb") as file:
        page = file.read(FIRST_BYTES)
    return len(page) == FIRST_BYTES and page.startswith(SQLITE_MARK) and user_version_of(page) < newest
