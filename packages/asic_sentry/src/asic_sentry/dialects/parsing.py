"""Parsing at the door: what every dialect needs, and the one error (`BadReply`) that all of them raise.

Bytes in, struct out, no I/O. What is missing, empty or no number is None, never 0.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import msgspec
from protocol import figures
from protocol.asic_messages import AsicBoard, AsicPool, AsicSpecs
from protocol.plain_words import quoted, why

from asic_sentry.failures import BadReply, bad_response
from asic_sentry.models import Model

_NAME_LIMIT, _TEXT_LIMIT = 64, 256
_BOARD_LIMIT, _FAN_LIMIT, _POOL_LIMIT = 64, 64, 16
_NUMBER = re.compile(r"\s*[-+]?\d+(\.\d*)?([eE][-+]?\d+)?")
_CONTROL_TO_SPACE = bytes.maketrans(bytes(range(32)), b" " * 32)
_MISSING_COMMA = re.compile(rb"}\s*{")
_MAC = re.compile(r"[0-9A-F]{12}")

T = TypeVar("T")


class AsicReading(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What one poll tells, before the sentry adds when and where. Figures as in `AsicLog`."""

    uptime_s: int | None
    hashrate_hs: float | None
    hashrate_window_s: int | None = None
    average_hashrate_hs: float | None = None
    expected_hashrate_hs: float | None = None
    power_w: float | None = None
    temperature_c: float | None = None
    boards: list[AsicBoard] = []
    fans_rpm: list[float | None] = []
    pools: list[AsicPool] = []
    rejected_percent: float | None = None
    faults: list[str] = []


Parser = Callable[[Sequence[bytes], Model | None], AsicReading]
SpecsParser = Callable[[Sequence[bytes | None]], AsicSpecs]


def decode(reply: bytes) -> Any:  # the parsing door: everything behind it is typed
    """Strict first; some firmwares leave a comma out between objects or put control characters into texts."""
    body = reply.strip(b"\0 \t\r\n")
    if not body:
        raise bad_response("The answer is empty.")
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        repaired = _MISSING_COMMA.sub(b"},{", body.translate(_CONTROL_TO_SPACE))
    try:
        return msgspec.json.decode(repaired)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise bad_response(f"The answer is not JSON: {quoted(body)}.") from error


def checked(dialect: str, parse: Callable[[], T]) -> T:
    """What `parse` makes; any stumbling over the answer's shape is a `BadReply`."""
    try:
        return parse()
    except BadReply:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise bad_response(f"The answer does not look like {dialect}'s ({why(error)}).") from error


def sample(dialect: str, parse: Callable[[], AsicReading]) -> AsicReading:
    """A sample is one only if its hashrate or its uptime came from this poll."""
    figures = checked(dialect, parse)
    if figures.hashrate_hs is None and figures.uptime_s is None:
        raise bad_response(f"The answer of {dialect} tells neither a hashrate nor an uptime.")
    return figures


def number(value: object) -> float | None:
    """A figure that counts something: finite and not negative. Some firmwares write it as text, with a unit."""
    if isinstance(value, str):
        value = _number_in(value)
    if type(value) is not float and type(value) is not int:  # JSON's, and no bool; asked some fifty times per poll
        return None
    return float(value) if 0 <= value <= 1e24 else None


def _number_in(text_value: str) -> float | None:
    if text_value.isdecimal():
        return float(text_value)
    match = _NUMBER.match(text_value)
    return float(match[0]) if match else None


def scaled(value: object, factor: float) -> float | None:
    figure = number(value)
    return None if figure is None or figure * factor > 1e24 else figure * factor


def positive(value: object) -> float | None:
    """A figure that can't be 0 on a working ASIC, such as its power: a sensor that isn't there says 0."""
    return number(value) or None


def temperature(value: object) -> float | None:
    """Returns °C; None for 0, 255 and more, which mean “no sensor” and would hide the hottest real value."""
    return figures.possible("temperature_c", positive(value))


def hottest(values: Iterable[float | None]) -> float | None:
    """The highest of what is known. A mean would hide the board that is too hot."""
    return max((value for value in values if value is not None), default=None)


def hottest_of(boards: Sequence[AsicBoard]) -> float | None:
    return hottest(
        value
        for board in boards
        for value in (board.inlet_temperature_c, board.outlet_temperature_c, board.chip_temperature_c)
    )


def percent(value: object) -> float | None:
    figure = number(value)
    return figure if figure is not None and figure <= 100 else None


def count(value: object) -> int | None:
    figure = number(value)
    return int(figure) if figure is not None and figure <= 2**53 else None


def rejected_percent(accepted: object, rejected: object) -> float | None:
    """Firmwares' own percentages stay at 0.0 or are weighed by difficulty: counted from the shares instead."""
    good, bad = count(accepted), count(rejected)
    return None if good is None or bad is None or good + bad == 0 else round(100 * bad / (good + bad), 3)


def text(value: object) -> str | None:
    return value.strip()[:_TEXT_LIMIT] or None if isinstance(value, str) else None


def name(value: object) -> str | None:
    return value.strip()[:_NAME_LIMIT] or None if isinstance(value, str) else None


def mac(value: object) -> str | None:
    """As `AA:BB:CC:DD:EE:FF`; firmwares write `:`, `-` or nothing between."""
    digits = value.replace(":", "").replace("-", "").strip().upper() if isinstance(value, str) else ""
    if not _MAC.fullmatch(digits):
        return None
    return ":".join(digits[at : at + 2] for at in range(0, 12, 2))


def boards(of: Iterable[AsicBoard]) -> list[AsicBoard]:
    return list(of)[:_BOARD_LIMIT]


def fans(of: Iterable[object]) -> list[float | None]:
    """A fan that says 0 stands still; that is a figure."""
    return [number(each) for each in of][:_FAN_LIMIT]


def pools(of: Iterable[AsicPool]) -> list[AsicPool]:
    return list(of)[:_POOL_LIMIT]
