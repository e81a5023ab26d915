"""How many names history keeps apart. Names come from miners and devices, and a broken (or lying) one never repeats.

What is beyond the bounds is added up under the name "other". Nothing is lost by that but the name: hashrates and watts
are added up, of temperatures and the like the highest counts. Shares beyond the bounds are left out: a count whose
counters change from log to log says nothing.

The bounds are applied where logs are read, from the first log of an hour on, and where hours are put together. So they
hold for whatever is stored, in every process and after every restart.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from commander.readings.series import HASHRATE, POWER, SOURCE, Readings, Series
from commander.readings.summary import OTHER, WORKS_OF_A_RIG

ADDED_UP = frozenset({HASHRATE, POWER})
Work = tuple[str | None, str | None]  # algorithm, coin
Named = Callable[[Series], Series | None]


class Room(NamedTuple):
    """How many works (algorithm and coin), devices (with those that count shares) and series there may be."""

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
    """The series that have a name of their own; who comes first has it. `folded`: some had to be “other”."""

    def __init__(self, room: Room = IN_AN_HOUR) -> None:
        self._room = room
        self._series: set[Series] = set()
        self._works: set[Work] = set()
        self._devices: set[str] = set()
        self.folded = False

    def named(self, series: Series) -> Series | None:
        """Returns the series itself, or the one that it is added to; None: it is left out."""
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
        return None if (device or "").startswith(SOURCE) else name

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
    """Within the bounds of both."""

    def named(series: Series) -> Series | None:
        name = first(series)
        return None if name is None else second(name)

    return named


def only(known: Iterable[Series]) -> Named:
    """Names of these series; what is not among them is “other”, where that is, or left out."""
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
    """A log's readings under the names that there is room for."""
    kept: Readings = {}
    for series, value in readings.items():
        if (name := named(series)) is not None:
            put(kept, name, value)
    return kept


def put(readings: Readings, series: Series, value: float) -> None:
    """Puts one more reading of a log into a series: the sum of hashrates and watts, the highest of all others."""
    if series not in readings:
        readings[series] = value
    elif series[0] in ADDED_UP:
        readings[series] += value
    else:
        readings[series] = max(readings[series], value)
