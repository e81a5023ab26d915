"""Moments for logs, in milliseconds."""

_ERAS = 10


class Timestamps:
    """Never the same moment twice for one ASIC, also when the clock is set back.

    The last digit counts how often it was set back: a moment that comes again is another one. That spares remembering
    the moments of a thousand ASICs.
    """

    def __init__(self, era: int) -> None:
        self._era = era % _ERAS
        self._latest_ms = 0

    def next_ms(self, now_ms: int, last_ms: int) -> int:
        """`last_ms` is the moment of this ASIC's last log, 0 if it has none."""
        if now_ms < self._latest_ms:
            self._era = (self._era + 1) % _ERAS
            self._latest_ms = now_ms
        self._latest_ms = max(self._latest_ms, now_ms)
        stamp = now_ms // _ERAS * _ERAS + self._era
        return stamp + _ERAS if stamp == last_ms else stamp
