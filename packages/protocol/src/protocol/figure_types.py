"""The words of the table of metrics: what a row of `figures` is made of."""

from enum import Enum, StrEnum, auto
from typing import NamedTuple

import msgspec


class Bounds(NamedTuple):
    """The lowest and the highest possible value, both included. `source` says where they come from."""

    lowest: float
    highest: float
    source: str


class Unit(NamedTuple):
    """A unit as pages write it. `base` is the unit of its Prometheus metrics: a value times `times` / `parts`.

    `prefixes`: it takes decimal prefixes, such as MH/s. Example: 70 % are a `ratio` of 70 * 1 / 100.
    """

    text: str
    base: str
    times: int = 1
    parts: int = 1
    prefixes: bool = False

    def in_base(self, value: float) -> float:
        return value * self.times / self.parts


class Holder(Enum):
    """The source of a metric: the message that has the field."""

    RIG = auto()  # CpuGpuLog
    CPU = auto()
    GPU = auto()  # GpuReading; a field that MinerDevice also has is filled in from there
    MINER = auto()  # AlgorithmReading, and MinerDevice as far as it has the field
    ASIC = auto()  # AsicLog
    BOARD = auto()
    FAN = auto()  # AsicLog.fans_rpm
    POOL = auto()


class Kind(StrEnum):
    """A gauge is measured at a moment. A counter only grows, until its source starts again from zero."""

    GAUGE = "gauge"
    COUNTER = "counter"


class Whole(Enum):
    """The rule by which a rig's own value follows from those of its devices."""

    SUM = auto()
    HIGHEST = auto()


class Chart(NamedTuple):
    """A chart of one metric or several of one unit. `id` stands in addresses; `whole` names the line of the whole rig.

    `split`: each coin has a chart of its own, because megahashes would hide kilohashes.
    """

    id: str
    title: str
    whole: str
    from_zero: bool = True
    split: bool = False
    on_rig_page: bool = False
    on_farm_page: bool = False


class Figure(msgspec.Struct, frozen=True):
    """A row of the table. `name` is that of the message's field and of the series.

    `of`: who reports it; empty for a value that has bounds and no history. `by_work`: each coin and algorithm has its
    own. `exponent`: history rounds to this power of ten; None: to five digits. `decimals`: as pages show it. `word`
    distinguishes its lines from others on the same chart. `prometheus` is its name there, after `minewarden_rig_`.
    """

    name: str
    unit: Unit
    bounds: Bounds
    of: tuple[Holder, ...] = ()
    kind: Kind = Kind.GAUGE
    whole: Whole | None = None
    by_work: bool = False
    exponent: int | None = -1
    decimals: int = 0
    label: str = ""
    chart: Chart | None = None
    word: str = ""
    prometheus: str = ""
