"""Times for logs, in milliseconds. A log is identified by its time, so no two logs of a rig may have the same one."""

from collections import deque
from datetime import datetime

_REMEMBERED = 1000
_ERAS = 10


class Timestamps:
    """Times for one rig: none is returned twice, also when the clock is set back."""

    def __init__(self) -> None:
        self._latest: deque[int] = deque(maxlen=_REMEMBERED)

    def next_ms(self, now: datetime) -> int:
        timestamp = round(now.timestamp() * 1000)
        while timestamp in self._latest:
            timestamp += 1
        self._latest.append(timestamp)
        return timestamp


class SharedTimestamps:
    """Times for many ASICs: none is returned twice for the same ASIC, also when the clock is set back.

    Remembering the times of a thousand ASICs would take memory. Instead the last digit counts how often the clock was
    set back, so a time that comes again has another last digit.
    """

    def __init__(self, era: int) -> None:
        self._era = era % _ERAS
        self._latest_ms = 0

    def next_ms(self, now_ms: int, last_ms: int) -> int:
        """`last_ms` is the time of this ASIC's last log; 0 if it has none."""
        if now_ms < self._latest_ms:
            self._era = (self._era + 1) % _ERAS
            self._latest_ms = now_ms
        self._latest_ms = max(self._latest_ms, now_ms)
        timestamp = now_ms // _ERAS * _ERAS + self._era
        return timestamp + _ERAS if timestamp == last_ms else timestamp
