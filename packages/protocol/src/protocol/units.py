"""Figures as people read them: one place, so that every page and every program says the same."""

from collections.abc import Sequence
from datetime import timedelta

UNKNOWN = "–"
_PREFIXES = ("", "k", "M", "G", "T", "P", "E")


def _three_digits(value: float) -> str:
    if value >= 99.95:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"


def with_prefix(value: float, unit: str) -> str:
    """`value` with three digits and a decimal prefix: 11_300_000, "H/s" gives "11.3 MH/s"."""
    for prefix in _PREFIXES:
        if value < 999.5 or prefix == _PREFIXES[-1]:
            return f"{_three_digits(value)} {prefix}{unit}"
        value /= 1000
    raise AssertionError("the last prefix returns")


def hashrate_text(hashrate_hs: float | None) -> str:
    return UNKNOWN if hashrate_hs is None else with_prefix(hashrate_hs, "H/s")


def power_text(power_w: float | None) -> str:
    if power_w is None:
        return UNKNOWN
    return f"{power_w:.0f} W" if power_w < 999.5 else with_prefix(power_w, "W")


def efficiency_text(energy_j: float | None) -> str:
    """Of joules for a hash, in the unit that is usual for the algorithm: "27.4 J/TH", "360 J/GH"."""
    if energy_j is None:
        return UNKNOWN
    value = energy_j * 1e12
    for prefix in "TGMk":
        if value < 999.5:
            return f"{_three_digits(value)} J/{prefix}H"
        value /= 1000
    return f"{_three_digits(value)} J/H"


def temperature_text(temperature_c: float | None) -> str:
    return UNKNOWN if temperature_c is None else f"{temperature_c:.0f} °C"


def percent_text(percent: float | None) -> str:
    return UNKNOWN if percent is None else f"{percent:,.0f} %"


def turns_text(fan_rpm: float | None) -> str:
    return UNKNOWN if fan_rpm is None else f"{fan_rpm:,.0f} rpm"


def clock_text(clock_mhz: float | None) -> str:
    return UNKNOWN if clock_mhz is None else f"{clock_mhz:,.0f} MHz"


def count_text(count: int | None) -> str:
    return UNKNOWN if count is None else f"{count:,}"


def counted(number: int, one: str, many: str | None = None) -> str:
    """Returns "1 share" or "2 shares". `many` is the plural if it is not formed with a plain s."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def listed(names: Sequence[str], most: int) -> str:
    """Returns the first names and how many more there are: "rig-01, rig-02 and 210 more"."""
    more = f" and {count_text(len(names) - most)} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"


def bytes_text(size_bytes: float | None) -> str:
    """Binary prefixes, as operating systems count memory: 8589934592 gives "8.00 GiB"."""
    if size_bytes is None:
        return UNKNOWN
    for prefix in ("", "Ki", "Mi", "Gi"):
        if size_bytes < 1000:
            return f"{_three_digits(size_bytes)} {prefix}B" if prefix else f"{size_bytes:.0f} B"
        size_bytes /= 1024
    return f"{_three_digits(size_bytes)} TiB"


def duration_text(seconds: float | None) -> str:
    """The two largest parts: "3 d 4 h", "12 min 5 s"; under ten seconds "7 s"."""
    if seconds is None:
        return UNKNOWN
    whole = timedelta(seconds=int(seconds))
    hours, rest = divmod(whole.seconds, 3600)
    minutes, left = divmod(rest, 60)
    parts = [(whole.days, "d"), (hours, "h"), (minutes, "min"), (left, "s")]
    while len(parts) > 1 and parts[0][0] == 0:
        parts.pop(0)
    return " ".join(f"{number} {unit}" for number, unit in parts[:2] if number or unit == parts[0][1])


def exact_text(value: float, unit: str) -> str:
    """The whole figure, for those who want to know: 221.53, "W" gives "221.53 W"."""
    digits = f"{value:,.2f}".rstrip("0").rstrip(".") if value % 1 else f"{value:,.0f}"
    return f"{digits} {unit}"


def shortened(text: str, keep: int = 8) -> str:
    """A wallet or another long word with its middle left out: both ends are what people compare."""
    return text if len(text) <= 2 * keep + 1 else f"{text[:keep]}…{text[-keep:]}"
