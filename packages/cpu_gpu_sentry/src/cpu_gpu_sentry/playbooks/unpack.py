"""Unpacks what came from outside. Only plain files and folders inside the new folder come out of it, and no more of
them than a mining software can need; everything is counted while it is read."""

import bz2
import errno
import gzip
import io
import lzma
import os
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

from protocol.playbook_messages import Archive

from cpu_gpu_sentry.playbooks import system
from cpu_gpu_sentry.playbooks.errors import Refused
from cpu_gpu_sentry.playbooks.packages import safe_path
from cpu_gpu_sentry.playbooks.tar import BadTar, Member, members
from cpu_gpu_sentry.playbooks.xz import XzReader

_CHUNK = 256 * 1024
_DIRECTORY_LIMIT = 16 * 1024 * 1024  # of a zip file, for 100,000 files: zipfile reads it into memory
_DIRECTORY_ENTRY, _END, _SEE_ZIP64 = b"PK\x01\x02", b"PK\x05\x06", 0xFFFF_FFFF
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}  # zipfile unpacks the others with unbounded memory
_BROKEN = (
    BadTar, EOFError, OSError, ValueError, NotImplementedError, RuntimeError, zlib.error, lzma.LZMAError, struct.error,
    zipfile.BadZipFile, OverflowError, IndexError, KeyError,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Limits:
    """Mining software has 20 to 600 MB and shrinks to a third; what unpacks to a hundred times its size is a bomb."""

    archive_bytes: int = 2 * 10**9
    unpacked_bytes: int = 8 * 10**9
    files: int = 100_000
    ratio: int = 100
    small_bytes: int = 256 * 10**6  # up to here no ratio matters

    def unpacked_from(self, archive_bytes: int) -> int:
        return min(self.unpacked_bytes, max(self.small_bytes, archive_bytes * self.ratio))


class _Budget:
    """The bytes that may still be unpacked."""

    def __init__(self, limits: Limits, archive_bytes: int, check: Callable[[], None]) -> None:
        self._files, self._bytes = limits.files, limits.unpacked_from(archive_bytes)
        self._limit_bytes, self._limit_files, self._check = self._bytes, limits.files, check

    def take_file(self, size: int) -> None:
        """The size that the archive names counts before anything of it is written."""
        self._files -= 1
        if self._files < 0:
            raise Refused(f"The archive has more than {self._limit_files:,} files; no mining software does.")
        self.take(size)

    def take(self, size: int) -> None:
        self._check()
        self._bytes -= size
        if size < 0 or self._bytes < 0:
            raise Refused(
                f"The archive unpacks to more than {self._limit_bytes / 1e6:,.0f} MB; no mining software does."
            )


def unpack(
    archive: Path, kind: Archive, executable: str, into: Path, limits: Limits, check: Callable[[], None]
) -> None:
    """Into the new, empty folder `into`. Raises `Refused`, or `OSError` where this machine's disk is at fault.

    `check` is called often and may raise, to give up.
    """
    size = archive.stat().st_size
    budget = _Budget(limits, size, check)
    if kind is Archive.NONE:
        budget.take_file(0)
        with archive.open("rb") as source:
            _write(into, safe_path(executable), source, size)
    elif kind is Archive.ZIP:
        _unpack_zip(archive, into, limits, budget)
    else:
        _unpack_tar(archive, kind, into, budget, check)
    _make_executable(into, executable)
    system.sync_folder(into)  # rigs lose their power often, and the folder's name says that all is there


def _make_executable(into: Path, executable: str) -> None:
    path = into / safe_path(executable)
    if not path.is_file():
        files = ", ".join(sorted(str(each.relative_to(into)) for each in _some_files(into)))
        raise Refused(f"The archive has no file {executable}; it has {files or 'none'}. Correct the program's path.")
    path.chmod(0o755)


def _some_files(folder: Path) -> list[Path]:
    files = (each for each in folder.rglob("*") if each.is_file())
    return [each for each, _ in zip(files, range(8), strict=False)]


class _Checked(io.RawIOBase):
    """A file whose reading can be given up: an archive may keep its reader busy and bring nothing out."""

    def __init__(self, file: IO[bytes], check: Callable[[], None]) -> None:
        self._file, self._check = file, check

    def read(self, size: int = -1, /) -> bytes:
        self._check()
        return self._file.read(size)

    def readable(self) -> bool:
        return True


def _unpack_tar(archive: Path, kind: Archive, into: Path, budget: _Budget, check: Callable[[], None]) -> None:
    with (
        _readable(kind),
        archive.open("rb") as file,
        _stream(cast("IO[bytes]", _Checked(file, check)), kind) as source,
    ):
        for member in members(source, budget.take):
            _take_member(member, into, budget)
        while rest := source.read(_CHUNK):  # the checksum stands at the end
            budget.take(len(rest))


def _stream(packed: IO[bytes], kind: Archive) -> IO[bytes]:
    """Yields the unpacked tar piece by piece, in bounded memory."""
    if kind is Archive.TAR_GZ:
        return cast("IO[bytes]", gzip.GzipFile(fileobj=packed, mode="rb"))
    if kind is Archive.TAR_BZ2:
        return cast("IO[bytes]", bz2.BZ2File(packed, "rb"))
    return cast("IO[bytes]", XzReader(packed))


def _take_member(member: Member, into: Path, budget: _Budget) -> None:
    if member.name.strip("./") == "" and member.is_folder:
        budget.take_file(0)
        return  # the folder itself
    path = safe_path(member.name)
    if member.refusal is not None:
        raise Refused(f"“{path}” in the archive is {member.refusal}; only plain files and folders are unpacked.")
    budget.take_file(0 if member.is_folder else member.size)
    if member.is_folder:
        _make_folder(into, path)
        return
    _write(into, path, member.content, member.size, is_executable=member.is_executable)


class _Directory(io.RawIOBase):
    """A zip file whose list of contents can't fill the memory.

    zipfile reads the list in one piece, and everything else in small ones.
    """

    def __init__(self, file: IO[bytes], limits: Limits) -> None:
        self._file, self._limits = file, limits

    def read(self, size: int = -1, /) -> bytes:
        if size > _DIRECTORY_LIMIT:
            raise Refused("The archive has far too many files; no mining software does.")
        data = self._file.read(size if size >= 0 else _DIRECTORY_LIMIT)
        if data.count(_DIRECTORY_ENTRY) > self._limits.files:
            raise Refused(f"The archive has more than {self._limits.files:,} files; no mining software does.")
        return data

    def seek(self, offset: int, whence: int = 0, /) -> int:
        if whence == 0 and offset < 0:
            raise zipfile.BadZipFile("it names a place in front of its start")
        return self._file.seek(offset, whence)

    def status_changed(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True


def _unpack_zip(archive: Path, into: Path, limits: Limits, budget: _Budget) -> None:
    with _readable(Archive.ZIP), archive.open("rb") as packed:
        _check_directory(packed)
        directory = cast("IO[bytes]", _Directory(packed, limits))
        with zipfile.ZipFile(directory) as files:
            entries = files.infolist()
            for entry in entries:
                _check_entry(entry, budget)
            for entry in entries:
                _take_entry(files, entry, into, budget)


def _check_directory(packed: IO[bytes]) -> None:
    """Refuses a zip whose last record (APPNOTE 4.3.16) announces too long a list.

    This gives the better message only: zipfile may find another size.
    """
    packed.seek(max(0, packed.seek(0, 2) - 65_557))
    tail = packed.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < 22:
        raise zipfile.BadZipFile("no directory")
    size: int = struct.unpack_from("<L", tail, at + 12)[0]
    packed.seek(0)
    if _DIRECTORY_LIMIT < size < _SEE_ZIP64:
        raise Refused("The archive has far too many files; no mining software does.")


def _check_entry(entry: zipfile.ZipInfo, budget: _Budget) -> None:
    safe_path(_name_of(entry))
    budget.take_file(entry.file_size)
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        what = "a link" if kind == stat.S_IFLNK else "a device or a pipe"
        raise Refused(f"“{_name_of(entry)}” in the archive is {what}; only plain files and folders are unpacked.")
    if entry.flag_bits & 0x1:
        raise Refused("The archive is encrypted; give one that is not.")
    if entry.compress_type not in _METHODS:
        raise Refused("The archive is packed in a way that this sentry does not read; pack it as an ordinary zip.")


def _name_of(entry: zipfile.ZipInfo) -> str:
    """Old programs on Windows wrote backslashes."""
    return entry.filename.replace("\\", "/")


def _take_entry(files: zipfile.ZipFile, entry: zipfile.ZipInfo, into: Path, budget: _Budget) -> None:
    path = safe_path(_name_of(entry))
    if _name_of(entry).endswith("/"):
        _make_folder(into, path)
        return
    with files.open(entry) as source:
        _write(into, path, source, entry.file_size, is_executable=bool((entry.external_attr >> 16) & 0o111))


def _make_folder(into: Path, path: PurePosixPath) -> None:
    try:
        (into / path).mkdir(mode=0o755, parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise Refused(f"The archive has “{path}” twice.") from error
    except OSError as error:
        raise _refused_name(path, error) from error


def _write(into: Path, path: PurePosixPath, source: IO[bytes], size: int, *, is_executable: bool = False) -> None:
    """A new file, nothing else: an archive with links in it has been refused, and one can't replace what it wrote."""
    target = into / path
    _make_folder(into, path.parent)
    try:
        with target.open("xb") as file:
            shutil.copyfileobj(source, file, _CHUNK)
            if not system.SYNCS_AT_ONCE:
                file.flush()
                os.fsync(file.fileno())
    except (FileExistsError, IsADirectoryError, NotADirectoryError) as error:
        raise Refused(f"The archive has “{path}” twice.") from error
    except OSError as error:
        raise _refused_name(path, error) from error
    if target.stat().st_size != size:
        raise Refused(f"“{path}” in the archive is cut off.")
    target.chmod(0o755 if is_executable else 0o644)


def _refused_name(path: PurePosixPath, error: OSError) -> Exception:
    """Returns `Refused` for a name that no disk accepts; any other error is the disk's and is tried again."""
    if error.errno in (errno.ENAMETOOLONG, errno.EILSEQ):
        return Refused(f"“{str(path)[:60]}…” in the archive is a name that this machine's disk does not take.")
    return error


@contextmanager
def _readable(kind: Archive) -> Iterator[None]:
    """Turns every error of a damaged archive into one sentence. A full disk is not the archive's fault."""
    try:
        yield
    except _BROKEN as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise Refused(f"The download is no readable {kind.value} archive ({str(error)[:100]}).") from error
