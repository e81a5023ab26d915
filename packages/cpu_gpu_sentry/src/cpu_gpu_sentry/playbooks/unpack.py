"""Unpacks what came from outside. Only plain files and folders inside the new folder come out of it, and no more of
them than a mining software can need; everything is counted while it is read."""

import bz2
import gzip
import io
import lzma
import os
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, cast

from protocol.playbook_messages import Archive

from cpu_gpu_sentry.playbooks.errors import Refused
from cpu_gpu_sentry.playbooks.packages import safe_path
from cpu_gpu_sentry.playbooks.xz import XzReader

_CHUNK = 256 * 1024
_HEADER_LIMIT = 1024 * 1024  # of a long name or of extended attributes: tarfile reads those into memory
_DIRECTORY_LIMIT = 64 * 1024 * 1024  # of a zip file: zipfile reads it into memory
_LONG_HEADERS = {
    tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK,
}  # fmt: skip
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2}  # LZMA's memory is the archive's choice
_BROKEN = (
    EOFError, OSError, ValueError, NotImplementedError, RuntimeError, zlib.error, lzma.LZMAError, struct.error,
    tarfile.TarError, zipfile.BadZipFile, OverflowError, IndexError, KeyError,
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
    """How much may still come out."""

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
        _unpack_zip(archive, into, budget)
    else:
        _unpack_tar(archive, kind, into, budget, check)
    _make_executable(into, executable)


def _make_executable(into: Path, executable: str) -> None:
    path = into / safe_path(executable)
    if not path.is_file():
        found = ", ".join(sorted(str(each.relative_to(into)) for each in _some_files(into)))
        raise Refused(f"The archive has no file {executable}; it has {found or 'none'}. Mend the executable's path.")
    path.chmod(0o755)


def _some_files(folder: Path) -> list[Path]:
    files = (each for each in folder.rglob("*") if each.is_file())
    return [each for each, _ in zip(files, range(8), strict=False)]


class _CheckedHeader(tarfile.TarInfo):
    """Says no to a header that would have to be read into memory whole."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str | None, errors: str) -> "_CheckedHeader":
        header = super().frombuf(buf, encoding, errors)  # type: ignore[arg-type]  # typeshed: encoding is str
        if header.type in _LONG_HEADERS and header.size > _HEADER_LIMIT:
            raise Refused("The archive has a name of more than 1 MB; it is damaged or made to harm.")
        return header


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
        tarfile.open(fileobj=source, mode="r|", tarinfo=_CheckedHeader, errors="strict") as tar,
    ):
        for member in tar:
            tar.members = []  # type: ignore[attr-defined]  # or it remembers them all
            _take_member(tar, member, into, budget)
        while rest := source.read(_CHUNK):  # the checksum stands at the end
            budget.take(len(rest))


def _stream(packed: IO[bytes], kind: Archive) -> IO[bytes]:
    """What the tar is made of, piece by piece, in bounded memory."""
    if kind is Archive.TAR_GZ:
        return cast("IO[bytes]", gzip.GzipFile(fileobj=packed, mode="rb"))
    if kind is Archive.TAR_BZ2:
        return cast("IO[bytes]", bz2.BZ2File(packed, "rb"))
    return cast("IO[bytes]", XzReader(packed))


def _take_member(tar: tarfile.TarFile, member: tarfile.TarInfo, into: Path, budget: _Budget) -> None:
    if member.name.strip("./") == "" and member.isdir():
        return  # the folder itself
    path = safe_path(member.name)
    budget.take_file(member.size)
    if member.isdir():
        _make_folder(into, path)
        return
    if member.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or member.issparse():
        raise Refused(f"“{path}” in the archive is {_kind(member)}; only plain files and folders are unpacked.")
    source = tar.extractfile(member)
    if source is None:
        raise Refused(f"“{path}” in the archive can't be read.")
    _write(into, path, source, member.size, is_executable=bool(member.mode & 0o111))


def _kind(member: tarfile.TarInfo) -> str:
    if member.issym() or member.islnk():
        return "a link"
    if member.isdev():
        return "a device or a pipe"
    return "no plain file"


def _unpack_zip(archive: Path, into: Path, budget: _Budget) -> None:
    with _readable(Archive.ZIP), archive.open("rb") as packed:
        _check_directory(packed)
        with zipfile.ZipFile(packed) as files:
            entries = files.infolist()
            for entry in entries:
                _check_entry(entry, budget)
            for entry in entries:
                _take_entry(files, entry, into, budget)


def _check_directory(packed: IO[bytes]) -> None:
    """The list of a zip file's contents stands at its end; how long it is, in its last record (APPNOTE 4.3.16)."""
    packed.seek(0, 2)
    end = packed.tell()
    packed.seek(max(0, end - 65_557 - 20))
    tail = packed.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < 22:
        raise zipfile.BadZipFile("no directory")
    size = struct.unpack_from("<L", tail, at + 12)[0]
    locator = tail.rfind(b"PK\x06\x07", 0, at)
    if locator >= 0 and len(tail) - locator >= 20:
        packed.seek(struct.unpack_from("<Q", tail, locator + 8)[0])
        record = packed.read(56)
        size = struct.unpack_from("<Q", record, 40)[0]
    packed.seek(0)
    if size > _DIRECTORY_LIMIT:
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


def _write(into: Path, path: PurePosixPath, source: IO[bytes], size: int, *, is_executable: bool = False) -> None:
    """A new file, nothing else: an archive with links in it has been refused, and one can't replace what it wrote."""
    target = into / path
    _make_folder(into, path.parent)
    try:
        with target.open("xb") as file:
            shutil.copyfileobj(source, file, _CHUNK)
            file.flush()
            os.fsync(file.fileno())  # rigs lose their power often, and the folder's name says that all is there
    except (FileExistsError, IsADirectoryError, NotADirectoryError) as error:
        raise Refused(f"The archive has “{path}” twice.") from error
    if target.stat().st_size != size:
        raise Refused(f"“{path}” in the archive is cut off.")
    target.chmod(0o755 if is_executable else 0o644)


@contextmanager
def _readable(kind: Archive) -> Iterator[None]:
    """Whatever a broken archive makes the readers raise is one sentence; a full disk is not the archive's fault."""
    try:
        yield
    except _BROKEN as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise Refused(f"The download is no readable {kind.value} archive ({str(error)[:100]}).") from error
