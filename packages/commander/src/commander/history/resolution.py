"""The precision of figures in history. Each reading is rounded once, so that columns are small whole numbers.

The table of metrics has the power of ten of each: temperatures, percents and watts to a tenth; clocks and turns to one;
memory to a megabyte. Hashrates, which may be of any size, have five significant digits.
"""

from collections.abc import Iterable, Sequence
from math import floor, log10

from protocol.figures import SERIES

HASHRATE_DIGITS = 5
SMALLEST_HASHRATE_HS = 1e-6  # less is none
USUAL_EXPONENT = -1  # of what is stored and no longer in the table
_EXPONENTS = {figure.name: figure.exponent for figure in SERIES}


def scale_of(figure: str) -> int | None:
    """The power of ten that a figure is kept in; None where it depends on the values."""
    return _EXPONENTS.get(figure, USUAL_EXPONENT)


def rounded(figure: str, value: float) -> float:
    """A hashrate with its significant digits; any other figure as a whole number of its smallest steps."""
    return rounded_all(figure, (value,))[0]


def rounded_all(figure: str, values: Iterable[float]) -> list[float]:
    exponent = scale_of(figure)
    if exponent is None:
        return [float(f"{value:.4e}") if value >= SMALLEST_HASHRATE_HS else 0.0 for value in values]
    if exponent > 0:
        divisor = 10.0**exponent
        return [round(value / divisor) for value in values]
    factor = 10.0**-exponent
    return [round(value * factor) for value in values]


def exponent_of(hashrates_hs: Iterable[float]) -> int:
    """The power of ten of which these rounded hashrates are whole multiples."""
    smallest = min((value for value in hashrates_hs if value), default=1.0)
    return floor(log10(smallest)) - HASHRATE_DIGITS + 1


def in_whole_steps(hashrates_hs: Sequence[float], exponent: int) -> list[int]:
    if exponent < 0:
        factor = 10.0**-exponent
        return [round(value * factor) for value in hashrates_hs]
    divisor = 10.0**exponent
    return [round(value / divisor) for value in hashrates_hs]


def in_units(value: float, exponent: int) -> float:
    """Whole steps of any figure as what they are."""
    return value / 10.0**-exponent if exponent < 0 else value * 10.0**exponent


def all_in_units(values: Sequence[float], exponent: int) -> list[float]:
    if exponent < 0:
        divisor = 10.0**-exponent
        return [value / divisor for value in values]
    factor = 10.0**exponent
    return [value * factor for value in values]
