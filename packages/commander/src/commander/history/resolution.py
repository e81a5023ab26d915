"""How exactly history keeps a figure. Every reading is rounded once, so that columns of it are small whole numbers.

Temperatures, percents and watts to a tenth; clocks and turns to one; memory to a megabyte; hashrates, which may be of
any size, to five significant digits.
"""

from collections.abc import Iterable, Sequence
from math import floor, log10

from commander.history.readings import HASHRATE

HASHRATE_DIGITS = 5
SMALLEST_HASHRATE_HS = 1e-6  # less is none
EXPONENTS = {"memory_used_bytes": 6, "fan_rpm": 0, "core_clock_mhz": 0, "memory_clock_mhz": 0}
USUAL_EXPONENT = -1  # of what is not listed: temperatures, percents, watts


def rounded_reading(figure: str, value: float) -> float:
    """A hashrate with its significant digits; any other figure as a whole number of its smallest steps."""
    if figure == HASHRATE:
        return float(f"{value:.{HASHRATE_DIGITS - 1}e}") if value >= SMALLEST_HASHRATE_HS else 0.0
    exponent = EXPONENTS.get(figure, USUAL_EXPONENT)
    return round(value / 10.0**exponent) if exponent > 0 else round(value * 10.0**-exponent)


def exponent_of(figure: str, values: Iterable[float]) -> int:
    """The power of ten of which rounded `values` of a figure are whole multiples."""
    if figure != HASHRATE:
        return EXPONENTS.get(figure, USUAL_EXPONENT)
    smallest = min((value for value in values if value), default=1.0)
    return floor(log10(smallest)) - HASHRATE_DIGITS + 1


def in_steps(values: Sequence[float], exponent: int) -> list[int]:
    """Hashrates as whole multiples of 10 ** exponent."""
    if exponent < 0:
        factor = 10.0**-exponent
        return [round(value * factor) for value in values]
    factor = 10.0**exponent
    return [round(value / factor) for value in values]


def in_units(value: float, exponent: int) -> float:
    """The other way round, for a figure of any kind."""
    return value / 10.0**-exponent if exponent < 0 else value * 10.0**exponent
