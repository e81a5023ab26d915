"""A small line beside a figure: what it did of late, as an SVG that needs no script."""

from collections.abc import Sequence

from markupsafe import Markup

HEIGHT = 20
FLAT = 0.02  # of its height, a change that is too small to be drawn as one


def sparkline(values: Sequence[float | None], about: str) -> Markup:
    """Empty where there is no line to be drawn: fewer than two neighbours are known."""
    path = spark_path(values)
    if "L" not in path:
        return Markup()
    box = f"0 -1 {len(values) - 1} {HEIGHT + 2}"
    return Markup(
        '<svg class="spark" viewBox="{}" preserveAspectRatio="none" role="img" aria-label="{}"><path d="{}"/></svg>'
    ).format(box, about, path)


def spark_path(values: Sequence[float | None]) -> str:
    """From zero, unless that would leave nothing to be seen; what is not known interrupts the line."""
    present = [value for value in values if value is not None]
    if not present:
        return ""
    low, high = _bounds(min(present), max(present))
    parts, pen = [], "M"
    for x, value in enumerate(values):
        if value is None:
            pen = "M"
        else:
            parts.append(f"{pen}{x} {round(HEIGHT * (high - value) / (high - low), 1):g}")
            pen = "L"
    return "".join(parts)


def _bounds(low: float, high: float) -> tuple[float, float]:
    """A level line runs in the middle of its box."""
    if high - low <= FLAT * abs(high):
        room = abs(high) or 1.0
        return low - room, high + room
    return low, high
