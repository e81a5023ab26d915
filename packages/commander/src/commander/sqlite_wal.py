"""Reads the two files that SQLite keeps beside a database, `-wal` and `-shm`, before SQLite does.

SQLite takes what it can read of the write-ahead log (WAL) and says nothing about the rest. A transaction that was cut
off in the middle is normal after a power cut. Lost transactions that were complete are not. The format is that of
https://www.sqlite.org/fileformat2.html#walformat and https://www.sqlite.org/walformat.html:

    -wal: a header, then frames. A frame is one page of the database; the last one of a transaction is marked.
          Salts tell the frames of this WAL from those of an earlier one, which it overwrites from the beginning.
          Each checksum continues that of the frame before.
    -shm: how many frames are committed, and how many of these are in the database too.
"""

import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple

HEADER_BYTES, FRAME_HEADER_BYTES, INDEX_BYTES = 32, 24, 136
MAGIC = 0x377F0682  # the last bit says whether checksums are of big-endian words
USER_VERSION_AT = 60  # in the first page of a database
_MASK = 0xFFFF_FFFF
_NATIVE = "<" if sys.byteorder == "little" else ">"
Checksum = tuple[int, int]


class WalIndex(NamedTuple):
    """The state that `-shm` had in the memory of all processes when the last one ended."""

    salts: bytes
    committed_frames: int
    copied_frames: int

    @property
    def has_more(self) -> bool:
        """Returns whether the WAL has changes that are not in the database itself."""
        return self.committed_frames > self.copied_frames


class WalContent(NamedTuple):
    """The part of a WAL that SQLite will read.

    `user_version` is that of the newest first page in it, None if there is none. `loses_more`: a frame can't be read,
    and a transaction was begun after another one that was complete by then.
    """

    salts: bytes
    committed_frames: int
    user_version: int | None
    loses_more: bool


class _Frame(NamedTuple):
    """The header of a frame. `checked` are its bytes that the checksum covers."""

    checked: bytes
    page_number: int
    is_last: bool
    salts: bytes
    checksum: Checksum


def read_wal_index(path: Path) -> WalIndex | None:
    """Returns the content of a `-shm`; None if there is none, or SQLite has not written it to its end.

    SQLite must not have it open in this process: closing the file here drops SQLite's locks.
    """
    try:
        with path.open("rb") as file:
            data = file.read(INDEX_BYTES)
    except FileNotFoundError:
        return None
    header = data[:48]
    if len(data) < INDEX_BYTES or header != data[48:96] or not header[12]:
        return None
    if _checksum(header[:40], (0, 0), _NATIVE) != struct.unpack(f"{_NATIVE}2I", header[40:]):
        return None
    (committed,), (copied,) = struct.unpack(f"{_NATIVE}I", header[16:20]), struct.unpack(f"{_NATIVE}I", data[96:100])
    return WalIndex(salts=header[32:40], committed_frames=committed, copied_frames=copied)


def read_wal_salts(path: Path) -> bytes | None:
    """Returns the salts of a WAL, which change each time when SQLite begins it again; None if it has no frames yet.

    SQLite may have the WAL open: it locks the database and `-shm`, not `-wal`.
    """
    try:
        with path.open("rb") as file:
            header = file.read(HEADER_BYTES)
    except FileNotFoundError:
        return None
    return header[16:24] if len(header) == HEADER_BYTES and any(header) else None


def read_wal(path: Path) -> WalContent | None:
    """Returns the content of a WAL; None if its header is damaged, so that SQLite will read nothing of it."""
    with path.open("rb") as file:
        header = file.read(HEADER_BYTES)
        if len(header) < HEADER_BYTES:
            return None
        magic, _, page_bytes, _, _, _, *checksum = struct.unpack(">8I", header)
        order = ">" if magic & 1 else "<"
        has_page_size = 512 <= page_bytes <= 65536 and not page_bytes & (page_bytes - 1)
        if magic & ~1 != MAGIC or not has_page_size or _checksum(header[:24], (0, 0), order) != tuple(checksum):
            return None
        return _Frames(file, header[16:24], page_bytes, order).content((checksum[0], checksum[1]))


class _Frames:
    """The frames of an open WAL."""

    def __init__(self, file: IO[bytes], salts: bytes, page_bytes: int, order: str) -> None:
        self._file = file
        self._salts = salts
        self._page_bytes = page_bytes
        self._order = order

    def content(self, checksum: Checksum) -> WalContent:
        """`checksum` is that of the header."""
        readable = committed = 0
        version: int | None = None
        newest_version: int | None = None
        for frame, page in self._following(0, checksum):
            readable += 1
            if frame.page_number == 1:
                newest_version = user_version_of(page)
            if frame.is_last:
                committed, version = readable, newest_version
        return WalContent(self._salts, committed, version, self._has_transactions_after(readable))

    def _following(self, number: int, checksum: Checksum) -> Iterator[tuple[_Frame, bytes]]:
        """Gives the frames from this number on, as long as each continues the checksum of the one before."""
        while frame := self._frame(number):
            page = self._file.read(self._page_bytes)
            if len(page) < self._page_bytes or not frame.page_number or frame.salts != self._salts:
                return
            checksum = _checksum(frame.checked, checksum, self._order)
            checksum = _checksum(page, checksum, self._order)
            if checksum != frame.checksum:
                return
            yield frame, page
            number += 1

    def _frame(self, number: int) -> _Frame | None:
        self._file.seek(HEADER_BYTES + number * (FRAME_HEADER_BYTES + self._page_bytes))
        data = self._file.read(FRAME_HEADER_BYTES)
        if len(data) < FRAME_HEADER_BYTES:
            return None
        page_number, pages_after, _, _, *checksum = struct.unpack(">6I", data)
        return _Frame(data[:8], page_number, pages_after > 0, data[8:16], (checksum[0], checksum[1]))

    def _has_transactions_after(self, number: int) -> bool:
        """Returns whether a frame from this number on ends a transaction, and the next frame continues it.

        SQLite writes the next transaction only when the one before is on the disk as a whole. A frame that was not
        written to its end can't have such a successor; nor can one that an earlier WAL has left.
        """
        while frame := self._frame(number):
            number += 1
            if frame.is_last and frame.salts == self._salts and next(self._following(number, frame.checksum), None):
                return True
        return False


def user_version_of(page: bytes) -> int:
    """Returns the number that `PRAGMA user_version` has set in the first page of a database."""
    version: int = struct.unpack_from(">i", page, USER_VERSION_AT)[0]
    return version


def _checksum(data: bytes, before: Checksum, order: str) -> Checksum:
    one, two = before
    words = iter(struct.unpack(f"{order}{len(data) // 4}I", data))
    for first, second in zip(words, words, strict=True):
        one = (one + first + two) & _MASK
        two = (two + second + one) & _MASK
    return one, two
