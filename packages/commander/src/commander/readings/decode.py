"""Decodes the JSON of a log, by its kind of rig."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple

import msgspec
from protocol.asic_messages import AsicLog
from protocol.messages import CpuGpuLog
from protocol.reading import Reader

from commander.readings import asic as asics
from commander.readings import cpu_gpu as rigs
from commander.readings.summary import RigSummary
from commander.registry.kinds import RigKind

_cpu_gpu = Reader(CpuGpuLog)
_asic = Reader(AsicLog)


class DecodedLog(NamedTuple):
    """A decoded log. `body` is stored: the log without impossible values, which `figures_left_out` counts."""

    taken_at: datetime
    summary: RigSummary
    body: bytes
    figures_left_out: int


ReadLog = Callable[[bytes | msgspec.Raw], DecodedLog]


def read_cpu_gpu_log(body: bytes | msgspec.Raw) -> DecodedLog:
    log, kept, dropped = _cpu_gpu.read(body)
    return DecodedLog(log.taken_at, rigs.summary_of(log), kept, len(dropped))


def read_asic_log(body: bytes | msgspec.Raw) -> DecodedLog:
    log, kept, dropped = _asic.read(body)
    return DecodedLog(log.taken_at, asics.summary_of(log), kept, len(dropped))


READERS: Mapping[RigKind, ReadLog] = {RigKind.CPU_GPU: read_cpu_gpu_log, RigKind.ASIC: read_asic_log}
