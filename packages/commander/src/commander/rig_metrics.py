"""`GET /metrics?rigs=yes`: what each rig and its devices reported last, for Prometheus.

The table of metrics has their names. An unknown value has no sample. An offline rig has no values: its last ones would
look like new ones. Devices have families of their own, so that a sum over a family counts nothing twice.
"""

import asyncio
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from protocol.figure_types import Figure, Holder, Kind
from protocol.figures import PERCENT, SERIES
from protocol.messages import MinerDevice

from commander.live.rig_state import Health, RigState
from commander.live.rigs import Lives
from commander.readings.series import SOURCE, Series
from commander.registry.kinds import RigKind
from commander.rig_pages.charts import readings_of
from commander.web.exposition import MetricKind, heading, labels_text, number

PREFIX = "minewarden_rig_"
DEVICE = "device_"
UP, LAST_REPORT = f"{PREFIX}up", f"{PREFIX}last_report_timestamp_seconds"
RIGS_AT_ONCE, LINES_AT_ONCE = 20, 2_000  # between them, the event loop serves others
ALIVE = (Health.ONLINE, Health.STALE)


class Family(NamedTuple):
    """A metric of the rigs, or of their devices, as Prometheus has it."""

    name: str
    kind: MetricKind
    help: str


def _family(row: Figure, *, of_devices: bool) -> Family:
    each = "device" if of_devices else "rig"
    if row.kind is Kind.COUNTER:
        text = f"{row.label}, per {each}, since its mining software or pool began to count."
    elif row.unit is PERCENT:
        text = f"{row.label}, per {each}, as a ratio: 1 is 100 %."
    else:
        text = f"{row.label}, per {each}, in {row.unit.base.replace('_', ' ')}."
    return Family(f"{PREFIX}{DEVICE if of_devices else ''}{row.prometheus}", MetricKind(row.kind.value), text)


def _is_of_devices(row: Figure) -> bool:
    by_miners = Holder.MINER in row.of and row.name in MinerDevice.__struct_fields__
    return by_miners or not {Holder.CPU, Holder.GPU, Holder.BOARD, Holder.FAN}.isdisjoint(row.of)


def _is_of_rigs(row: Figure) -> bool:
    return row.whole is not None or not {Holder.RIG, Holder.ASIC}.isdisjoint(row.of)


_OF_RIGS = {row.name: (row, _family(row, of_devices=False)) for row in SERIES if _is_of_rigs(row)}
_OF_DEVICES = {row.name: (row, _family(row, of_devices=True)) for row in SERIES if _is_of_devices(row)}
FAMILIES = (
    Family(UP, MetricKind.GAUGE, "1: the rig reports. 0: it is offline, or has never reported."),
    Family(LAST_REPORT, MetricKind.GAUGE, "When a rig last reported, in seconds since 1970."),
    *(family for _, family in (*_OF_RIGS.values(), *_OF_DEVICES.values())),
)
Samples = dict[str, dict[str, float]]  # by family and labels: two spellings of one label set are one sample


async def rig_exposition(lives: Lives) -> str:
    """Returns the families of all rigs, as text. Families without a sample are left out."""
    samples: Samples = {family.name: {} for family in FAMILIES}
    rigs = [(kind, state) for kind, live in lives.items() for state in live.index.rigs.values()]
    for place, (kind, state) in enumerate(rigs):
        if place % RIGS_AT_ONCE == 0:
            await asyncio.sleep(0)
        _put_rig(samples, kind, state)
    parts: list[str] = []
    for family in FAMILIES:
        for lines in _lines(family, samples.pop(family.name)):
            parts.append(lines)
            await asyncio.sleep(0)
    return "".join(parts)


def _put_rig(samples: Samples, kind: RigKind, state: RigState) -> None:
    rig = labels_text({"rig_id": str(state.id), "rig": state.name, "kind": kind})
    samples[UP][rig] = 1 if state.health in ALIVE else 0
    if state.reported_at is not None:
        samples[LAST_REPORT][rig] = round(state.reported_at.timestamp(), 3)
    if state.health not in ALIVE:
        return
    for series, value in readings_of(kind, state).items():
        if row_and_family := (_OF_DEVICES if _is_of_device(series) else _OF_RIGS).get(series[0]):
            row, family = row_and_family
            own = _labels_of(series)
            samples[family.name][f"{rig},{own}" if own else rig] = row.unit.in_base(value)


def _is_of_device(series: Series) -> bool:
    return series[1] is not None and not series[1].startswith(SOURCE)


@lru_cache(maxsize=4096)
def _labels_of(series: Series) -> str:
    _, device, algorithm, coin = series
    name = "device" if _is_of_device(series) else "source"
    labels = {name: (device or "").removeprefix(SOURCE), "coin": coin or "", "algorithm": algorithm or ""}
    return labels_text(labels)


def _lines(family: Family, values: dict[str, float]) -> Iterator[str]:
    if values:
        yield "\n".join([*heading(*family), ""])
    left = iter(values.items())
    while some := list(islice(left, LINES_AT_ONCE)):
        yield "".join([f"{family.name}{{{labels}}} {number(value)}\n" for labels, value in some])
