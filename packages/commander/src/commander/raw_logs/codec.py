"""Packs a log's JSON into its row. The row has the number of the codec, so old rows stay readable.

A row that was packed with a dictionary has its number in the zstd frame. No two dictionaries have the same number, so
`learn` may be called at any time, in any order.
"""

import threading
from collections.abc import Mapping

import zstandard

from commander.registry.kinds import RigKind

ZSTD, ZSTD_DICTIONARY = 1, 2
_LEVEL = 3
_DICTIONARIES: dict[int, zstandard.ZstdCompressionDict] = {}
_of_thread = threading.local()


def learn(number: int, body: bytes) -> None:
    """Makes rows readable that were packed with this dictionary."""
    if number not in _DICTIONARIES:
        _DICTIONARIES[number] = zstandard.ZstdCompressionDict(body, dict_type=zstandard.DICT_TYPE_FULLDICT)


class Packer:
    """Packs logs, each kind of rig's with the newest dictionary for it. `pack` belongs to one thread."""

    def __init__(self, dictionaries: Mapping[RigKind, int] | None = None) -> None:
        self._plain = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=False, write_content_size=True)
        self._by_kind: dict[RigKind, zstandard.ZstdCompressor] = {}
        for kind, number in (dictionaries or {}).items():
            self.use(kind, number)

    def use(self, kind: RigKind, number: int) -> None:
        """Packs with this dictionary from the next log on. `learn` was called with it before."""
        self._by_kind[kind] = zstandard.ZstdCompressor(
            level=_LEVEL, dict_data=_DICTIONARIES[number], write_checksum=False, write_content_size=True
        )

    def pack(self, kind: RigKind, body: bytes) -> tuple[int, bytes]:
        """Returns the codec and the packed log."""
        if packer := self._by_kind.get(kind):
            return ZSTD_DICTIONARY, packer.compress(body)
        return ZSTD, self._plain.compress(body)


def dictionary_of(codec: int, body: bytes) -> int | None:
    """Returns the dictionary that a row was packed with; None if with none, or if the row is damaged."""
    if codec != ZSTD_DICTIONARY:
        return None
    try:
        return zstandard.get_frame_parameters(body).dict_id
    except zstandard.ZstdError:
        return None


def is_known(number: int) -> bool:
    return number in _DICTIONARIES


def unpack(codec: int, body: bytes) -> bytes:
    """Returns the JSON of a row's log. Raises `ValueError` if it is damaged, or its codec or dictionary is unknown."""
    if codec not in (ZSTD, ZSTD_DICTIONARY):
        raise ValueError(f"a log is packed with codec {codec}, which this version does not know")
    try:
        return _unpacker(dictionary_of(codec, body)).decompress(body)
    except zstandard.ZstdError as error:
        raise ValueError(f"a stored log is damaged: {error}") from error


def _unpacker(number: int | None) -> zstandard.ZstdDecompressor:
    """Returns the unpacker of this thread for a dictionary: making one costs more than using it."""
    unpackers: dict[int | None, zstandard.ZstdDecompressor] | None = getattr(_of_thread, "unpackers", None)
    if unpackers is None:
        unpackers = _of_thread.unpackers = {}
    if number not in unpackers:
        if number is not None and number not in _DICTIONARIES:
            raise ValueError(f"a log is packed with dictionary {number}, which the database has lost")
        unpackers[number] = zstandard.ZstdDecompressor(dict_data=_DICTIONARIES[number] if number is not None else None)
    return unpackers[number]
