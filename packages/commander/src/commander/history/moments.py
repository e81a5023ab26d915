"""The times of an hour's logs in a few bytes: who sends a log again, days later, must not be counted twice."""

from collections.abc import Sequence
from itertools import accumulate, pairwise
from statistics import median_low

import msgspec
import zstandard

from commander.history.packing import from_bytes, to_bytes, width_of


class _Moments(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """`usual` is what is taken from each difference, so that a steady sentry's are near zero."""

    unit_us: int
    first: int
    usual: int
    width: int
    count: int
    rest: bytes


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Moments).decode


def pack_moments(moments_us: Sequence[int]) -> bytes:
    """Of rising times, at least one."""
    unit_us = 1 if any(moment % 1000 for moment in moments_us) else 1000
    moments = [moment // unit_us for moment in moments_us]
    steps = [after - before for before, after in pairwise(moments)]
    usual = median_low(steps) if steps else 0
    rest = [step - usual for step in steps]
    width = width_of(rest)
    packed = _Moments(unit_us, moments[0], usual, width, len(rest), to_bytes(rest, width) if width else b"")
    return zstandard.ZstdCompressor(write_checksum=False).compress(_encode(packed))


def unpack_moments(body: bytes) -> list[int]:
    packed = _decode(zstandard.ZstdDecompressor().decompress(body))
    rest = from_bytes(packed.rest, packed.width) if packed.width else [0] * packed.count
    moments = accumulate((packed.first, *(step + packed.usual for step in rest)))
    return [moment * packed.unit_us for moment in moments]
