"""Buckets as bytes, column by column: small differences of neighbours, which zstd makes smaller still.

The number of the codec stands beside the bytes, so that old rows stay readable. Codec 1 is a zstd frame of the length
of a header (4 bytes), the header (msgpack) and the columns one after the other; a column is an array of signed whole
numbers, as narrow as they allow, with its low bytes first, then its high ones. Of a gauge the mean is kept as
differences and the rest by how far it is from the mean; of a counter the first count is kept by how far it is from the
last one of the bucket before. Only the columns that are asked for are unpacked.
"""

import struct
import sys
from array import array
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate
from operator import add, sub

import msgspec
import zstandard

from commander.history.buckets import Buckets, Counter, Gauge
from commander.readings.series import Series

CODEC = 1
_LEVEL = 6
_WIDTHS = (1, 2, 4, 8)
_TYPES = {1: "b", 2: "h", 4: "i", 8: "q"}
_VAST = 16  # bytes of a number that fits in no machine word: a farm's hashrate in thousandths
_LENGTH = struct.Struct("<I")

SeriesFilter = Callable[[Series], bool]
Column = Gauge | Counter


class _Shape(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The header of one series, before its columns. `where` numbers the presence patterns; `widths` those columns."""

    names: tuple[int, int, int, int]
    exponent: int | None  # None: a counter
    where: int
    base: bytes  # the first mean (count): it may need more bits than msgpack's numbers have
    widths: tuple[int, ...]


class _Header(msgspec.Struct, array_like=True, frozen=True, gc=False):
    names: list[str | None]
    where: list[list[tuple[int, int]]]  # patterns of presence, as (first bucket, how many); the first is that of logs
    widths: tuple[int, int]  # of the columns `logs` and `minutes`
    series: list[_Shape]


_encode = msgspec.msgpack.Encoder().encode
_header = msgspec.msgpack.Decoder(_Header)


def pack(buckets: Buckets) -> bytes:
    return _Packing(buckets).packed()


class _Packing:
    def __init__(self, buckets: Buckets) -> None:
        self._names: dict[str | None, int] = {None: 0}
        self._where: dict[tuple[int, ...], int] = {}
        self._pattern(buckets.where)
        self._logs = dict(zip(buckets.where, buckets.logs, strict=True))
        self._columns: list[bytes] = []
        self._buckets = buckets

    def packed(self) -> bytes:
        buckets = self._buckets
        widths = (self._add(buckets.logs), self._add(buckets.minutes))
        series = [self._gauge(key, gauge) for key, gauge in buckets.gauges.items()]
        series += [self._counter(key, counter) for key, counter in buckets.counters.items()]
        header = _encode(_Header(list(self._names), [_runs_of(where) for where in self._where], widths, series))
        body = b"".join((_LENGTH.pack(len(header)), header, *self._columns))
        return zstandard.ZstdCompressor(level=_LEVEL, write_checksum=False).compress(body)

    def _gauge(self, key: Series, gauge: Gauge) -> _Shape:
        mean = gauge.mean
        columns = (
            list(map(sub, gauge.count, map(self._logs.__getitem__, gauge.where))),
            [0, *map(sub, mean[1:], mean)],
            list(map(sub, mean, gauge.low)),
            list(map(sub, gauge.high, mean)),
            list(map(sub, gauge.last, mean)),
        )
        widths = tuple(self._add(column) for column in columns)
        return _Shape(self._named(key), gauge.exponent, self._pattern(gauge.where), _number(mean[0]), widths)

    def _counter(self, key: Series, counter: Counter) -> _Shape:
        first, rest = counter.first, map(sub, counter.last, counter.first)
        columns = (
            [0, *map(sub, first[1:], counter.last)],
            counter.grown,
            list(map(sub, rest, counter.grown)),
        )
        widths = tuple(self._add(column) for column in columns)
        return _Shape(self._named(key), None, self._pattern(counter.where), _number(first[0]), widths)

    def _named(self, key: Series) -> tuple[int, int, int, int]:
        figure, device, algorithm, coin = (self._names.setdefault(name, len(self._names)) for name in key)
        return figure, device, algorithm, coin

    def _pattern(self, where: list[int]) -> int:
        return self._where.setdefault(tuple(where), len(self._where))

    def _add(self, column: list[int]) -> int:
        width = width_of(column)
        if width:
            self._columns.append(to_bytes(column, width))
        return width


def _number(value: int) -> bytes:
    return value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)


def _from_number(data: bytes) -> int:
    return int.from_bytes(data, "little", signed=True)


def width_of(column: list[int]) -> int:
    """0: nothing but zeros, which need no column."""
    low, high = min(column, default=0), max(column, default=0)
    if low == high == 0:
        return 0
    for width in _WIDTHS:
        if -(1 << 8 * width - 1) <= low and high < 1 << 8 * width - 1:
            return width
    return _VAST


def to_bytes(column: list[int], width: int) -> bytes:
    if width == _VAST:
        plain = b"".join(number.to_bytes(_VAST, "little", signed=True) for number in column)
    else:
        numbers = array(_TYPES[width], column)
        if sys.byteorder == "big":
            numbers.byteswap()
        plain = numbers.tobytes()
    return plain if width == 1 else b"".join(plain[byte::width] for byte in range(width))


def from_bytes(data: bytes, width: int) -> list[int]:
    if width > 1:
        plain, size = bytearray(len(data)), len(data) // width
        for byte in range(width):
            plain[byte::width] = data[byte * size : (byte + 1) * size]
        data = bytes(plain)
    if width == _VAST:
        return [int.from_bytes(data[at : at + _VAST], "little", signed=True) for at in range(0, len(data), _VAST)]
    numbers = array(_TYPES[width], data)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tolist()


def _runs_of(where: Iterable[int]) -> list[tuple[int, int]]:
    runs: list[tuple[int, int]] = []
    for bucket in where:
        if runs and sum(runs[-1]) == bucket:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((bucket, 1))
    return runs


def unpack(
    codec: int, body: bytes, *, start_s: int, step_s: int, chosen: SeriesFilter | None = None, for_chart: bool = False
) -> Buckets:
    """The buckets, with the series that are `wanted` (None: all). A chart does not need what was last in a bucket.

    An unknown codec is a `ValueError`.
    """
    opened = Opened(codec, body, start_s=start_s, step_s=step_s)
    buckets = opened.buckets
    for key, series in opened.series(chosen, for_chart=for_chart):
        if isinstance(series, Gauge):
            buckets.gauges[key] = series
        else:
            buckets.counters[key] = series
    return buckets


class Opened:
    """Packed buckets, whose series are unpacked one by one: only one is in memory at a time.

    `buckets` has no series of its own.
    """

    def __init__(self, codec: int, body: bytes, *, start_s: int, step_s: int) -> None:
        if codec != CODEC:
            raise ValueError(f"buckets are packed with codec {codec}, which this version does not know")
        plain = zstandard.ZstdDecompressor().decompress(body)
        (length,) = _LENGTH.unpack_from(plain)
        self._header = header = _header.decode(memoryview(plain)[_LENGTH.size : _LENGTH.size + length])
        self._where = [[at for start, count in runs for at in range(start, start + count)] for runs in header.where]
        self._columns = _Columns(plain, _LENGTH.size + length)
        where = self._where[0]
        logs, minutes = (self._columns.take(width, len(where)) for width in header.widths)
        self.buckets = Buckets(start_s, step_s, where, logs, minutes)

    def series(self, chosen: SeriesFilter | None = None, *, for_chart: bool = False) -> Iterator[tuple[Series, Column]]:
        """Yields the series. It works once."""
        logs = self.buckets.logs
        logs_at = dict(zip(self.buckets.where, logs, strict=True))
        for shape in self._header.series:
            key, there = self._key(shape), self._where[shape.where]
            if chosen and not chosen(key):
                self._columns.skip(shape.widths, len(there))
            elif shape.exponent is None:
                yield key, _unpack_counter(shape, there, self._columns)
            else:
                its_logs = logs if shape.where == 0 else [logs_at[at] for at in there]
                yield key, _unpack_gauge(shape, there, self._columns, its_logs, for_chart)

    def _key(self, shape: _Shape) -> Series:
        figure, device, algorithm, coin = (self._header.names[name] for name in shape.names)
        return figure or "", device, algorithm, coin


class _Columns:
    """The columns in their order."""

    def __init__(self, plain: bytes, at: int) -> None:
        self._plain = plain
        self._at = at

    def take(self, width: int, count: int) -> list[int]:
        if not width:
            return [0] * count
        start, self._at = self._at, self._at + width * count
        return from_bytes(self._plain[start : self._at], width)

    def beside(self, column: list[int], width: int, how: Callable[[int, int], int]) -> list[int]:
        """Returns the next column, which is stored as differences from `column`."""
        return list(map(how, column, self.take(width, len(column)))) if width else column

    def skip(self, widths: Iterable[int], count: int) -> None:
        self._at += sum(widths) * count


def _unpack_gauge(shape: _Shape, where: list[int], columns: _Columns, logs: list[int], for_chart: bool) -> Gauge:
    more, steps, below, above, beside = shape.widths
    count = columns.beside(logs, more, add)
    mean = _accumulated(shape, columns.take(steps, len(where)))
    low = columns.beside(mean, below, sub)
    high = columns.beside(mean, above, add)
    if for_chart:
        columns.skip((beside,), len(where))
        return Gauge(shape.exponent or 0, where, count, low, mean, high, mean)
    return Gauge(shape.exponent or 0, where, count, low, mean, high, columns.beside(mean, beside, add))


def _accumulated(shape: _Shape, steps: list[int]) -> list[int]:
    steps[0] = _from_number(shape.base)
    return list(accumulate(steps))


def _unpack_counter(shape: _Shape, where: list[int], columns: _Columns) -> Counter:
    between, grown, after_restart = (columns.take(width, len(where)) for width in shape.widths)
    first, last, at = list[int](), list[int](), _from_number(shape.base)
    for gap, more, rest in zip(between, grown, after_restart, strict=True):
        first.append(at + gap)
        at += gap + more + rest
        last.append(at)
    return Counter(where, first, grown, last)
