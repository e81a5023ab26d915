"""A backup's file: a ZIP that packs nothing again, with a manifest at its end."""

import hashlib
import io
import os
import secrets
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, cast

import msgspec

from commander import VERSION
from commander.backup import BackupProblem
from commander.backup.encryption import DecryptingFile, EncryptingFile, cipher_of, is_encrypted, new_cipher
from commander.backup.unfinished import hold
from commander.db import metadata
from commander.private_files import NO_FOLLOW, PLAYBOOK_KEY, SECRETS_KEY

FORMAT = 1
CHUNK = 1 << 20
DATABASE = "database"
TLS_FILES = ("ca.pem", "ca.key", "server.pem", "server.key", SECRETS_KEY, PLAYBOOK_KEY)
_MANIFEST = "manifest.json"


class Member(msgspec.Struct, frozen=True):
    name: str
    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """`kind` is `sqlite` (the member `database` is such a file) or `postgresql` (it is pg_dump's custom format).

    `revision` is the schema's, `tables` are those that are in it.
    """

    format: int = FORMAT
    commander_version: str
    kind: str
    revision: str
    made_at: datetime
    tables: list[str]
    files: list[Member] = []


def manifest_of(kind: str, revision: str) -> Manifest:
    """Returns the manifest of a backup that is made now."""
    names = [str(table.name) for table in metadata.sorted_tables]
    return Manifest(commander_version=VERSION, kind=kind, revision=revision, made_at=datetime.now(UTC), tables=names)


class Archive:
    """A backup that is being written."""

    def __init__(self, file: zipfile.ZipFile) -> None:
        self._file = file
        self._members: list[Member] = []

    def add(self, name: str, chunks: Iterable[bytes]) -> None:
        digest, size = hashlib.sha256(), 0
        with self._file.open(name, "w", force_zip64=True) as member:
            for chunk in chunks:
                member.write(chunk)
                digest.update(chunk)
                size += len(chunk)
        self._members.append(Member(name, size, digest.hexdigest()))

    def finish(self, manifest: Manifest) -> None:
        manifest = msgspec.structs.replace(manifest, files=self._members)
        self._file.writestr(_MANIFEST, msgspec.json.format(msgspec.json.encode(manifest), indent=1))


@contextmanager
def new_archive(path: Path, passphrase: str | None) -> Iterator[Archive]:
    """Gives an archive to write. The file has its name only when it is whole and on disk; only its owner may read it.

    With a passphrase it is encrypted.
    """
    if path.exists() or path.is_symlink():
        raise _exists(path)
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    try:
        with new_private_file(part) as file:
            hold(file)
            with _written_to(file, passphrase) as target, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
                yield Archive(archive)
            file.flush()
            os.fsync(file.fileno())
        _give_name(part, path)
        sync_folder(path.parent)
    finally:
        part.unlink(missing_ok=True)


def new_private_file(path: Path) -> IO[bytes]:
    """Makes a file that only its owner may read. It is never one that is there already, nor one that a link names."""
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | NO_FOLLOW, 0o600), "w+b")


@contextmanager
def _written_to(file: IO[bytes], passphrase: str | None) -> Iterator[IO[bytes]]:
    if passphrase is None:
        yield file
        return
    target = EncryptingFile(file, new_cipher(passphrase))
    yield cast(IO[bytes], target)  # zipfile needs no more of a file that can't go back
    target.finish()


def _give_name(part: Path, path: Path) -> None:
    """Renames without overwriting, where the disk can do that."""
    try:
        path.hardlink_to(part)
    except FileExistsError as error:
        raise _exists(path) from error
    except OSError:
        part.rename(path)


def _exists(path: Path) -> BackupProblem:
    return BackupProblem(f"{path} exists already; choose another name, or remove it first.")


@contextmanager
def _read_from(path: Path, passphrase: Callable[[], str]) -> Iterator[IO[bytes]]:
    with path.open("rb") as file:
        if not is_encrypted(path):
            yield file
            return
        raw = DecryptingFile(file, cipher_of(file, passphrase(), path), path)
        with io.BufferedReader(raw, CHUNK) as reader:
            yield reader


@contextmanager
def opened_archive(path: Path, passphrase: Callable[[], str]) -> Iterator[tuple[zipfile.ZipFile, Manifest]]:
    """Gives a backup to read from. `passphrase` is called if it is encrypted. Raises `BackupProblem`."""
    if not path.is_file():
        raise BackupProblem(f"There is no file {path}.")
    with _read_from(path, passphrase) as file, _opened(file, path) as opened:
        yield opened


@contextmanager
def _opened(file: IO[bytes], path: Path) -> Iterator[tuple[zipfile.ZipFile, Manifest]]:
    damaged = f"{path} is no backup of a commander, or it is damaged"
    try:
        archive = zipfile.ZipFile(file)
    except zipfile.BadZipFile as error:
        raise BackupProblem(f"{damaged} ({error}).") from error
    with archive:
        try:
            manifest = msgspec.json.decode(archive.read(_MANIFEST), type=Manifest)
        except (KeyError, zipfile.BadZipFile, msgspec.DecodeError) as error:
            raise BackupProblem(f"{damaged} ({error}).") from error
        try:
            yield archive, _checked(manifest, path)
        except (zipfile.BadZipFile, EOFError) as error:
            raise BackupProblem(f"{damaged} ({error}).") from error


def _checked(manifest: Manifest, path: Path) -> Manifest:
    allowed = {DATABASE, *(f"tls/{name}" for name in TLS_FILES)}
    if manifest.format != FORMAT:
        raise BackupProblem(f"{path} was written by a newer commander: update this one first.")
    if not {member.name for member in manifest.files} <= allowed:
        raise BackupProblem(f"{path} holds files that are in no backup of a commander.")
    return manifest


def extract(
    archive: zipfile.ZipFile, member: Member, target: Path, *, on_bytes: Callable[[int], None] = lambda count: None
) -> None:
    """Write a member to disk and compare it with the manifest. Raises `BackupProblem`."""
    digest = hashlib.sha256()
    target.unlink(missing_ok=True)
    with new_private_file(target) as file, archive.open(member.name) as source:
        for chunk in chunks_of(source):
            file.write(chunk)
            digest.update(chunk)
            on_bytes(len(chunk))
        file.flush()
        os.fsync(file.fileno())
    if digest.hexdigest() != member.sha256:
        raise BackupProblem(f"The backup is damaged: {member.name} is not what was written.")


def chunks_of(source: IO[bytes]) -> Iterator[bytes]:
    while chunk := source.read(CHUNK):
        yield chunk


def sync_folder(folder: Path) -> None:
    """So that a rename in it outlives a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
