"""`commander restore`: a backup in the place of what is there, all of it or nothing."""

import asyncio
import os
import shutil
import sqlite3
import uuid
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from commander.backup import BackupProblem
from commander.backup.archive import DATABASE, Manifest, extract, new_private_file, opened_archive
from commander.backup.keys import StoredKey, keys_before, note_restore, revoke, valid_again, valid_keys_in
from commander.backup.progress import CopyProgress
from commander.backup.swap import Pending, abandon, finish, mark, new_of, pending
from commander.database_number import number_file
from commander.database_url import is_postgresql
from commander.db import open_database, sqlite_path
from commander.lock import CommanderRuns, only_commander
from commander.migrations import migrate
from commander.migrations.revisions import HEAD, known_revisions
from commander.private_files import PLAYBOOK_KEY
from commander.settings import Settings

Decide = Callable[[Sequence[StoredKey]], bool]


def no_passphrase() -> str:
    raise BackupProblem("The backup is encrypted: give its passphrase.")


def restore(
    settings: Settings,
    path: Path,
    *,
    force: bool,
    passphrase: Callable[[], str] = no_passphrase,
    revokes: Decide = lambda keys: False,
) -> None:
    """Puts the backup in the place of the farm, and ends all sessions.

    `passphrase` is called if the backup is encrypted. `revokes` is called with the keys that are valid again, if there
    are any, and returns whether to revoke them. Raises `BackupProblem` or `DatabaseProblem`; then everything is as it
    was.
    """
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with opened_archive(path.expanduser(), passphrase) as (archive, manifest), _stopped(settings):
        _check_kind(settings, manifest)
        finish_pending(settings)
        _check_room(settings, force=force)
        before = asyncio.run(keys_before(settings.database_url))
        progress = CopyProgress("restore")
        exchange = _stage(settings, archive, manifest, progress)
        mark(settings.data_dir, exchange)
        try:
            if exchange.restore_id:
                asyncio.run(_refill(settings, manifest, exchange.restore_id))
        finally:
            finish_pending(settings)
            dump_place(settings).unlink(missing_ok=True)
        _look_at_keys(settings, path, before, revokes)
    progress.end(f"the farm of {manifest.made_at:%Y-%m-%d %H:%M} UTC is back; start the commander. Done")


def _look_at_keys(settings: Settings, path: Path, before: list[StoredKey] | None, revokes: Decide) -> None:
    migrate(settings.database_url, with_copy=False)  # the backup's file is the copy

    async def look() -> list[StoredKey]:
        async with open_database(settings.database_url) as database:
            await note_restore(database, path.name)
        return valid_again(before, await valid_keys_in(settings.database_url))

    async def end(again: list[StoredKey]) -> None:
        async with open_database(settings.database_url) as database:
            await revoke(database, path.name, before, again)

    again = asyncio.run(look())
    if again and revokes(again):
        asyncio.run(end(again))


@contextmanager
def _stopped(settings: Settings) -> Iterator[None]:
    try:
        with only_commander(settings):
            yield
    except CommanderRuns as error:
        raise BackupProblem(f"A commander runs on {error.place}: stop it first.") from error


def _check_kind(settings: Settings, manifest: Manifest) -> None:
    kind = "postgresql" if is_postgresql(settings.database_url) else "sqlite"
    if manifest.kind != kind:
        hint = "`commander migrate-data` moves a farm from SQLite to PostgreSQL"
        raise BackupProblem(
            f"This is a backup of a {manifest.kind} database, and COMMANDER_DATABASE_URL names {kind}: restore it "
            f"where it is from; {hint}."
        )
    if manifest.revision not in known_revisions():
        raise BackupProblem(
            f"A newer commander made this backup (revision {manifest.revision}, this one knows {HEAD}): update this."
        )


def _check_room(settings: Settings, *, force: bool) -> None:
    """Raises `BackupProblem` if there is a farm already and the command does not allow to replace it."""
    places = [settings.data_dir / "tls"]
    if not is_postgresql(settings.database_url):
        places.append(sqlite_path(settings.database_url))
    elif asyncio.run(_holds_a_farm(settings.database_url)) and not force:
        raise BackupProblem("The database holds a farm already; --force puts the backup in its place.")
    for place in places:
        if place.exists() and not force:
            raise BackupProblem(f"{place} is there already; --force puts the backup in its place.")


async def _holds_a_farm(url: str) -> bool:
    from commander.backup.on_postgresql import VERSION_TABLE, alone

    async with alone(url) as connection:
        return await connection.fetchval("SELECT to_regclass($1)", VERSION_TABLE) is not None


def _stage(settings: Settings, archive: zipfile.ZipFile, manifest: Manifest, progress: CopyProgress) -> Pending:
    """The backup's files beside their places, whole and compared with the manifest."""
    places = _places(settings, manifest)
    total, done = sum(member.bytes for member in manifest.files), 0

    def count(more: int) -> None:
        nonlocal done
        done += more
        progress.bytes(done, total)

    _clear(settings, places)
    try:
        for member in manifest.files:
            target = _target_of(settings, member.name)
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            extract(archive, member, target, on_bytes=count)
        _keep_signing_key(settings)
        if manifest.kind == "sqlite":
            _check_sqlite(new_of(sqlite_path(settings.database_url)))
            _end_sessions(new_of(sqlite_path(settings.database_url)))
    except BaseException:
        _clear(settings, places)
        raise
    restore_id = f"restored {uuid.uuid4()}" if manifest.kind == "postgresql" else ""
    return Pending([str(place) for place in places], restore_id)


def _keep_signing_key(settings: Settings) -> None:
    """Keeps the key that rigs know, if the backup is of a version that had none."""
    here, new = settings.data_dir / "tls" / PLAYBOOK_KEY, new_of(settings.data_dir / "tls")
    if here.exists() and new.exists() and not (new / PLAYBOOK_KEY).exists():
        with new_private_file(new / PLAYBOOK_KEY) as file:
            file.write(here.read_bytes())
            file.flush()
            os.fsync(file.fileno())


def _end_sessions(database: Path) -> None:
    """Ends the sessions of the backup before it takes its place. Somebody may have ended them since."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")  # else there are other files beside it
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("DELETE FROM sessions")


async def _refill(settings: Settings, manifest: Manifest, restore_id: str) -> None:
    from commander.backup.on_postgresql import alone, refill

    async with alone(settings.database_url) as connection:
        url, dumped = settings.database_url, dump_place(settings)
        await refill(connection, url, dumped, manifest, restore_id=restore_id)


def _places(settings: Settings, manifest: Manifest) -> list[Path]:
    places: list[Path] = []
    if manifest.kind == "sqlite":
        database = sqlite_path(settings.database_url)
        places += [*(database.with_name(database.name + suffix) for suffix in ("-wal", "-shm")), number_file(database)]
        places.append(database)
    if any(member.name.startswith("tls/") for member in manifest.files):
        places.append(settings.data_dir / "tls")
    return places


def _target_of(settings: Settings, name: str) -> Path:
    if name != DATABASE:
        return new_of(settings.data_dir / "tls") / name.removeprefix("tls/")
    if is_postgresql(settings.database_url):
        return dump_place(settings)
    return new_of(sqlite_path(settings.database_url))


def dump_place(settings: Settings) -> Path:
    return settings.data_dir / "database.dump.restored"


def _clear(settings: Settings, places: list[Path]) -> None:
    """Away with what an earlier, interrupted restore has left."""
    new = [new_of(place) for place in places]
    for place in [*new, *(place.with_name(f"{place.name}-journal") for place in new), dump_place(settings)]:
        if place.is_dir():
            shutil.rmtree(place)
        else:
            place.unlink(missing_ok=True)


def _check_sqlite(path: Path) -> None:
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as connection:
            verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.Error as error:
        verdict = str(error)
    if verdict != "ok":
        raise BackupProblem(f"The database in the backup is damaged: {verdict}.")


def finish_pending(settings: Settings) -> None:
    """Finish an interrupted restore, or undo it if PostgreSQL did; no commander may run."""
    exchange = pending(settings.data_dir)
    if exchange is None:
        return
    if exchange.restore_id:
        from commander.backup.on_postgresql import was_committed

        if not asyncio.run(was_committed(settings.database_url, exchange.restore_id)):
            abandon(settings.data_dir, [Path(place) for place in exchange.places])
            return
    finish(settings.data_dir)
