"""How a log's JSON is packed into its row. The number of the codec stands in the row, so old rows stay readable."""

import zstandard

ZSTD = 1
_LEVEL = 3


class Packer:
    """Packs logs; keeps one compressor, so it belongs to one thread."""

    def __init__(self) -> None:
        self._zstd = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=False, write_content_size=True)

    def pack(self, body: bytes) -> bytes:
        return self._zstd.compress(body)


def unpack(codec: int, body: bytes) -> bytes:
    """The JSON of a row's log. A codec that this version does not know is a `ValueError`."""
    if codec != ZSTD:
        raise ValueError(f"a log is packed with codec {codec}, which this version does not know")
    return zstandard.ZstdDecompressor().decompress(body)
