"""The farm's last day in a few points, for the small lines beside its totals."""

from collections.abc import Mapping, Sequence

Value = float | None


class Trends:
    """By the name of the total (`power`, `alive`, `hashrate-Monero`). `number` grows with every change."""

    def __init__(self) -> None:
        self.number = 0
        self._lines: Mapping[str, Sequence[Value]] = {}

    def take(self, lines: Mapping[str, Sequence[Value]]) -> None:
        if lines != self._lines:
            self._lines = lines
            self.number += 1

    def line(self, name: str) -> Sequence[Value]:
        """Empty while nothing is known."""
        return self._lines.get(name, ())
