"""Helpers that read values from the replies of devices and mining software. Both sentries' parsers use them.

What is missing, empty or not a number is None, never 0: a 0 would look like a fan that stands still.
"""

import re
from collections.abc import Callable, Iterable
from typing import TypeVar

import msgspec
from protocol import figures
from protocol.plain_words import why

HIGHEST = 1e24
_NO_NUMBER_BEFORE = ("#", "x", "X")  # 1.#INF is how Windows writes infinity; 0x1f is hexadecimal
_HIGHEST_COUNT = figures.FIGURES["accepted"].bounds.highest
_NAME_LIMIT, _TEXT_LIMIT = 64, 256
_NUMBER = re.compile(r"\s*[-+]?\d+(\.\d*)?([eE][-+]?\d+)?")
_OTHER_SHAPE = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, msgspec.MsgspecError)

Number = TypeVar("Number", int, float)
T = TypeVar("T")


class BadReply(ValueError):
    """The reply can't be read; the text says why, in a sentence."""


def checked(source: str, parse: Callable[[], T]) -> T:
    """Returns the result of `parse`. Raises `BadReply` if the reply has another shape than replies of `source`."""
    try:
        return parse()
    except BadReply:
        raise
    except _OTHER_SHAPE as error:
        raise BadReply(f"The answer does not look like {source}'s ({why(error)}).") from error


def number(value: object) -> float | None:
    """Returns a value that is finite and not negative. Some programs write it as text, with a unit behind it."""
    if isinstance(value, str):
        value = _leading_number(value)
    if type(value) is not float and type(value) is not int:  # a bool is no number; called some fifty times per poll
        return None
    return float(value) if 0 <= value <= HIGHEST else None


def _leading_number(value: str) -> float | None:
    if value.isdecimal():
        return float(value)
    match = _NUMBER.match(value)
    if match is None or value[match.end() : match.end() + 1] in _NO_NUMBER_BEFORE:
        return None
    return float(match[0])


def scaled(value: object, factor: float | None) -> float | None:
    """Returns the number times `factor`; None if the factor is unknown."""
    base = number(value)
    return None if base is None or factor is None or base * factor > HIGHEST else base * factor


def positive(value: object) -> float | None:
    """Returns a value that can't be 0 in operation, such as power: a missing sensor reports 0."""
    return number(value) or None


def percent(value: object) -> float | None:
    result = number(value)
    return result if result is not None and result <= 100 else None


def temperature(value: object) -> float | None:
    """Returns °C; None for 0, 255, 511 and 65535, which stand for a missing sensor."""
    return figures.possible("temperature_c", positive(value))


def count(value: object) -> int | None:
    """Returns a whole number; None for one such as 4294967295, which is a -1 of 32 bits."""
    result = number(value)
    return int(result) if result is not None and result <= _HIGHEST_COUNT else None


def total(values: Iterable[Number | None]) -> Number | None:
    """Returns the sum; None if there are no values, or one of them is unknown.

    A sum that omits one would look like a device that does not mine, or like a restart.
    """
    found = list(values)
    known = [each for each in found if each is not None]
    return sum(known) if known and len(known) == len(found) else None


def name(value: object) -> str | None:
    """Returns a short text, such as a version; None for an empty one."""
    return value.strip()[:_NAME_LIMIT] or None if isinstance(value, str) else None


def text(value: object) -> str | None:
    """Returns a longer text, such as the URL of a pool; None for an empty one."""
    return value.strip()[:_TEXT_LIMIT] or None if isinstance(value, str) else None
