"""The bounds for names in history.

Names come from miners and devices. A broken or hostile one may send a new name with every log. Series beyond the bounds
are added up under the name "other": hashrates and watts as sums, of temperatures and other metrics the highest. Shares
beyond the bounds are left out, because a sum of changing counters means nothing.

The bounds are applied when logs are read, from the first log of an hour on, and when hours are joined. So they hold for
all stored logs, in every process and after every restart.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from protocol.figure_types import Whole
from protocol.figures import COUNTERS, SERIES

from commander.readings.series import Readings, Series
from commander.readings.summary import OTHER, WORKS_OF_A_RIG

ADDED_UP = frozenset(figure.name for figure in SERIES if figure.whole is Whole.SUM and figure.name not in COUNTERS)
Work = tuple[str | None, str | None]  # algorithm, coin
Named = Callable[[Series], Series | None]


class Room(NamedTuple):
    """The bounds: works (algorithm and coin), devices (including sources of shares) and series."""

    works: int = WORKS_OF_A_RIG
    devices: int = 512
    series: int = 4_096


IN_AN_HOUR = Room()
IN_A_CHUNK = Room(works=256, devices=1_024, series=8_192)  # up to a week of a rig
ON_A_PAGE = Room(series=1_024)
OF_THE_FARM = Room(works=256, devices=0, series=512)
VALUES_IN_AN_ANSWER = 1_000_000  # of each of mean, min and max


def in_an_answer(points: int) -> Room:
    return Room(series=min(IN_AN_HOUR.series, max(256, VALUES_IN_AN_ANSWER // max(1, points))))


class Names:
    """The series that have a name of their own; the first ones get it. `folded`: some became “other”."""

    def __init__(self, room: Room = IN_AN_HOUR) -> None:
        self._room = room
        self._series: set[Series] = set()
        self._works: set[Work] = set()
        self._devices: set[str] = set()
        self.folded = False

    def named(self, series: Series) -> Series | None:
        """Returns the series itself or the series that it is added to; None if it is left out."""
        if series in self._series:
            return series
        figure, device, algorithm, coin = series
        place = self._device(device)
        name: Series = figure, place, *self._work((algorithm, coin))
        if name == series:
            if len(self._series) < self._room.series:
                self._series.add(series)
                return series
            name = figure, device and OTHER, algorithm, coin
        self.folded = True
        return None if figure in COUNTERS else name

    def _work(self, work: Work) -> Work:
        if work == (None, None) or work in self._works:
            return work
        if work == (OTHER, None) or len(self._works) >= self._room.works:
            return OTHER, None
        self._works.add(work)
        return work

    def _device(self, device: str | None) -> str | None:
        if device is None or device in self._devices:
            return device
        if device == OTHER or len(self._devices) >= self._room.devices:
            return OTHER
        self._devices.add(device)
        return device


def in_turn(first: Named, second: Named) -> Named:
    """Returns a naming that applies `first` and then `second`."""

    def named(series: Series) -> Series | None:
        name = first(series)
        return None if name is None else second(name)

    return named


def only(known: Iterable[Series]) -> Named:
    """Returns a naming that keeps `known` series. All others become “other” if `known` has that, or are left out."""
    kept = set(known)

    def named(series: Series) -> Series | None:
        figure, device, algorithm, coin = series
        if series in kept:
            return series
        others: list[Series] = [
            (figure, device, OTHER, None),
            (figure, device and OTHER, algorithm, coin),
            (figure, device and OTHER, OTHER, None),
        ]
        return next((other for other in others if other in kept), None)

    return named


def folded(readings: Readings, named: Named) -> Readings:
    """Returns a log's readings under the names that there is room for."""
    kept: Readings = {}
    for series, value in readings.items():
        if (name := named(series)) is not None:
            put(kept, name, value)
    return kept


def put(readings: Readings, series: Series, value: float) -> None:
    """Adds a reading of the same log to a series: the sum of hashrates and watts, the highest of all others."""
    if series not in readings:
        readings[series] = value
    elif series[0] in ADDED_UP:
        readings[series] += value
    else:
        readings[series] = max(readings[series], value)
