"""What the JSON of a log says, by the kind of rig that it is of."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple

import msgspec
from protocol.asic_messages import AsicLog
from protocol.messages import CpuGpuLog

from commander.asics import domain as asics
from commander.live.figures import Figures
from commander.rigs import domain as rigs
from commander.rigs.kinds import RigKind

_cpu_gpu = msgspec.json.Decoder(CpuGpuLog)
_asic = msgspec.json.Decoder(AsicLog)


class Reading(NamedTuple):
    taken_at: datetime
    figures: Figures


Reader = Callable[[bytes | msgspec.Raw], Reading]


def read_cpu_gpu_log(body: bytes | msgspec.Raw) -> Reading:
    log = _cpu_gpu.decode(body)
    return Reading(log.taken_at, rigs.figures_of(log))


def read_asic_log(body: bytes | msgspec.Raw) -> Reading:
    log = _asic.decode(body)
    return Reading(log.taken_at, asics.figures_of(log))


READERS: Mapping[RigKind, Reader] = {RigKind.CPU_GPU: read_cpu_gpu_log, RigKind.ASIC: read_asic_log}
