"""Reads the headers of a tar in bounded memory and linear time, on every version of Python.

Python's `tarfile` reads a long name, extended attributes (pax) and the list of a sparse file whole, however long they
are, and has no way to bound them. Formats: POSIX.1-2001 (ustar, pax) and GNU tar, as in
https://www.gnu.org/software/tar/manual/html_node/Standard.html and `pax(1)`.
"""

import io
from collections.abc import Callable, Iterator
from typing import IO, NamedTuple

from cpu_gpu_sentry.playbooks.errors import Refused

BLOCK = 512
_LONG_LIMIT = 1024 * 1024  # of all names and attributes in front of one file
_CHUNK = 256 * 1024
_DIGITS_LIMIT = 20
_FILE, _OLD_FILE, _FOLDER = b"0", b"\0", b"5"
_LONG_NAME, _LONG_LINK, _PAX, _PAX_FOR_ALL, _SOLARIS_PAX = b"L", b"K", b"x", b"g", b"X"
_LONG = {_LONG_NAME, _LONG_LINK, _PAX, _PAX_FOR_ALL, _SOLARIS_PAX}
_LINKS, _DEVICES = {b"1", b"2"}, {b"3", b"4", b"6"}


class BadTar(ValueError):
    """The file is no tar, or a damaged one."""


class Member(NamedTuple):
    """A file or folder of a tar. `refusal` names the kind of any other entry."""

    name: str
    size: int
    is_folder: bool
    is_executable: bool
    refusal: str | None
    content: IO[bytes]


class _Header(NamedTuple):
    """One block of 512 bytes."""

    name: bytes
    size: int
    mode: int
    kind: bytes


class _LongValues(NamedTuple):
    """The values of long headers for the next file."""

    name: bytes | None = None
    size: int | None = None
    is_sparse: bool = False


class _Content(io.RawIOBase):
    """The bytes of one file, and no more."""

    def __init__(self, source: IO[bytes], size: int) -> None:
        self._source, self.left = source, size

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        size_now = min(self.left, _CHUNK if size < 0 else size)
        data = self._source.read(size_now) if size_now else b""
        if size_now and not data:
            raise EOFError("it is cut off")
        self.left -= len(data)
        return data


def members(source: IO[bytes], take: Callable[[int], None]) -> Iterator[Member]:
    """Yields the tar's entries in order. Read, or skip, each one before the next.

    `take` counts the bytes besides their contents. Raises `BadTar`, `EOFError` or `Refused`.
    """
    is_empty = True
    while (read := _next(source, take)) is not None:
        is_empty = False
        header, long_values = read
        size = header.size if long_values.size is None else long_values.size
        is_folder = header.kind == _FOLDER or (header.kind == _OLD_FILE and header.name.endswith(b"/"))
        content = _Content(source, 0 if is_folder else size)
        name = (long_values.name or header.name).decode("utf-8")
        yield Member(name, size, is_folder, bool(header.mode & 0o111), _refusal(header.kind, long_values), content)  # type: ignore[arg-type]  # typeshed: RawIOBase is no IO
        while content.read(_CHUNK):
            pass
        _exactly(source, -(0 if is_folder else size) % BLOCK)
    if is_empty:
        raise BadTar("it is empty")


def _next(source: IO[bytes], take: Callable[[int], None]) -> tuple[_Header, _LongValues] | None:
    """Returns the next header of a file, with the long headers before it; None at the end."""
    long_values, long_bytes = _LongValues(), 0
    while (header := _header(_block(source))) is not None:
        if header.kind not in _LONG:
            return header, long_values
        long_bytes += header.size + BLOCK
        if long_bytes > _LONG_LIMIT:
            raise Refused("The archive has a name of more than 1 MB; it is damaged or made to harm.")
        take(header.size + BLOCK)
        body = _exactly(source, header.size)
        _exactly(source, -header.size % BLOCK)
        long_values = _with_long(long_values, header.kind, body)
    if long_bytes:
        raise EOFError("it is cut off")
    return None


def _with_long(long_values: _LongValues, kind: bytes, body: bytes) -> _LongValues:
    """Adds a long header's values. Global headers contain nothing that is needed here."""
    if kind == _LONG_NAME:
        return long_values._replace(name=body.partition(b"\0")[0])
    if kind not in (_PAX, _SOLARIS_PAX):
        return long_values
    for key, value in _records(body):
        if key == b"path":
            long_values = long_values._replace(name=value)
        elif key == b"size":
            long_values = long_values._replace(size=_decimal(value))
        elif key.startswith(b"GNU.sparse"):
            long_values = long_values._replace(is_sparse=True)
    return long_values


def _records(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yields pax records: `LENGTH KEY=VALUE` and a newline. The length counts all of it."""
    at = 0
    while at < len(body) and body[at]:
        space = body.find(b" ", at, at + _DIGITS_LIMIT)
        length = _decimal(body[at:space]) if space > 0 else 0
        record = body[space + 1 : at + length]
        key, equals, value = record[:-1].partition(b"=")
        if not record.endswith(b"\n") or not equals:
            raise BadTar("an extended header is damaged")
        yield key, value
        at += length


def _block(source: IO[bytes]) -> bytes:
    """Reads a block of 512 bytes; b"" at the end of the file."""
    block = b""
    while len(block) < BLOCK and (more := source.read(BLOCK - len(block))):
        block += more
    if block and len(block) < BLOCK:
        raise EOFError("it is cut off")
    return block


def _header(block: bytes) -> _Header | None:
    """Parses a header; None for a block of zeros, which ends the tar."""
    if not block.strip(b"\0"):
        return None
    without_sum = block[:148] + b" " * 8 + block[156:]
    signed = sum(without_sum) - 256 * sum(byte > 127 for byte in without_sum)  # old programs add signed bytes
    if _number(block[148:156]) not in (sum(without_sum), signed):
        raise BadTar("a header's checksum is wrong")
    name, prefix = _text(block[:100]), _text(block[345:500])
    if block[257:265] == b"ustar\x0000" and prefix:
        name = prefix + b"/" + name
    return _Header(name, _number(block[124:136]), _number(block[100:108]), block[156:157])


def _refusal(kind: bytes, long_values: _LongValues) -> str | None:
    if kind in _LINKS:
        return "a link"
    if kind in _DEVICES:
        return "a device or a pipe"
    return None if kind in (_FILE, _OLD_FILE, _FOLDER) and not long_values.is_sparse else "no plain file"


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _number(field: bytes) -> int:
    """Parses octal digits or, for large numbers, binary with the first bit set."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    digits = _text(field).strip()
    if digits.strip(b"01234567"):
        raise BadTar("a header has no number where one must be")
    return int(digits or b"0", 8)


def _decimal(digits: bytes) -> int:
    if not digits.isdigit() or len(digits) > _DIGITS_LIMIT:
        raise BadTar("an extended header has no number where one must be")
    return int(digits)


def _exactly(source: IO[bytes], size: int) -> bytes:
    parts: list[bytes] = []
    while size:
        part = source.read(min(size, _CHUNK))
        if not part:
            raise EOFError("it is cut off")
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
