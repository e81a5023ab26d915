"""Packs a log's JSON into its row. The row has the number of the codec, so old rows stay readable.

A row that was packed with a dictionary names it in its zstd frame by a number that no other dictionary has, so what is
known of dictionaries is never wrong: `learn` may be called by anybody at any time.
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
    """From now on rows that were packed with this dictionary can be read."""
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
        """From the next log on; by a number that was learnt."""
        self._by_kind[kind] = zstandard.ZstdCompressor(
            level=_LEVEL, dict_data=_DICTIONARIES[number], write_checksum=False, write_content_size=True
        )

    def pack(self, kind: RigKind, body: bytes) -> tuple[int, bytes]:
        """The codec, and the packed log."""
        if packer := self._by_kind.get(kind):
            return ZSTD_DICTIONARY, packer.compress(body)
        return ZSTD, self._plain.compress(body)


def dictionary_of(codec: int, body: bytes) -> int | None:
    """The dictionary that has to be known before a row can be read."""
    return zstandard.get_frame_parameters(body).dict_id if codec == ZSTD_DICTIONARY else None


def is_known(number: int) -> bool:
    return number in _DICTIONARIES


def unpack(codec: int, body: bytes) -> bytes:
    """The JSON of a row's log. A codec or a dictionary that is not known here is a `ValueError`."""
    if codec not in (ZSTD, ZSTD_DICTIONARY):
        raise ValueError(f"a log is packed with codec {codec}, which this version does not know")
    return _unpacker(dictionary_of(codec, body)).decompress(body)


def _unpacker(number: int | None) -> zstandard.ZstdDecompressor:
    """One for each dictionary in each thread: making one costs more than using it."""
    unpackers: dict[int | None, zstandard.ZstdDecompressor] | None = getattr(_of_thread, "unpackers", None)
    if unpackers is None:
        unpackers = _of_thread.unpackers = {}
    if number not in unpackers:
        if number is not None and number not in _DICTIONARIES:
            raise ValueError(f"a log is packed with dictionary {number}, which the database has lost")
        unpackers[number] = zstandard.ZstdDecompressor(dict_data=_DICTIONARIES[number] if number is not None else None)
    return unpackers[number]
