"""A playbook's usual hashrate: the median of ten-minute means of the last 24 h of mining. Pure.

It is learnt again after a change of the playbook, and when a card is lost. Until there is an hour of it, it is
unknown: the ladder is still learning.

Five means of 100 MH/s and one of 0.1 MH/s, from a slow start, make a usual hashrate of 100 MH/s.
"""

from statistics import fmean, median

import msgspec
from msgspec.structs import replace

MEAN_OVER_S = 600.0
_MEANS = 144  # of ten minutes: 24 h
_LEAST_MEANS = 6


class UsualRate(msgspec.Struct, frozen=True):
    """`readings` are those of the ten minutes that began at `began_s`."""

    means_hs: tuple[float, ...] = ()
    began_s: float = 0.0
    readings_hs: tuple[float, ...] = ()

    @property
    def usual_hs(self) -> float | None:
        return median(self.means_hs) if len(self.means_hs) >= _LEAST_MEANS else None


class PlaybookUsual(msgspec.Struct, frozen=True):
    """The usual figures of one revision of a playbook; `devices` are those that have hashed with it."""

    revision: int
    rates: dict[str, UsualRate] = msgspec.field(default_factory=dict)
    devices: frozenset[str] = frozenset()


def with_reading(usual: UsualRate, rate_hs: float | None, now_s: float) -> UsualRate:
    """Returns the usual hashrate after one more reading; a reading of 0 is no mining."""
    if not rate_hs:
        return usual
    if not usual.readings_hs:
        return replace(usual, began_s=now_s, readings_hs=(rate_hs,))
    if now_s - usual.began_s < MEAN_OVER_S:
        return replace(usual, readings_hs=(*usual.readings_hs, rate_hs))
    return UsualRate((*usual.means_hs, fmean(usual.readings_hs))[-_MEANS:], now_s, (rate_hs,))
