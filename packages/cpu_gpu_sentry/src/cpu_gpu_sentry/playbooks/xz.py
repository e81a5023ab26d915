"""An .xz file, read with bounded memory: `lzma.LZMAFile` lets the file choose how much it takes."""

import io
import lzma
from typing import IO

_MEMORY_LIMIT = 128 * 1024 * 1024  # `xz -9` needs 65 MB
_CHUNK = 64 * 1024
_STREAMS_LIMIT = 10_000


class XzReader(io.RawIOBase):
    """Streams may follow each other, as parallel packers write them."""

    def __init__(self, packed: IO[bytes]) -> None:
        self._packed, self._pending = packed, b""
        self._decompressor, self._streams = _new(), 1

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        """At most `size` bytes; b"" is the end."""
        while True:
            if self._decompressor.eof and not self._next_stream():
                return b""
            piece = self._piece() if self._decompressor.needs_input else b""
            if self._decompressor.needs_input and not piece:
                raise EOFError("it is cut off")
            data = self._decompressor.decompress(piece, size if size > 0 else _CHUNK)
            if data:
                return data

    def _piece(self) -> bytes:
        piece, self._pending = self._pending, b""
        return piece or self._packed.read(_CHUNK)

    def _next_stream(self) -> bool:
        """Begins the next stream. Between two streams there are zeros or nothing."""
        rest = self._decompressor.unused_data.lstrip(b"\0")
        while not rest:
            piece = self._packed.read(_CHUNK)
            if not piece:
                return False
            rest = piece.lstrip(b"\0")
        self._streams += 1
        if self._streams > _STREAMS_LIMIT:
            raise lzma.LZMAError("too many streams")
        self._pending, self._decompressor = rest, _new()
        return True


def _new() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY_LIMIT)
