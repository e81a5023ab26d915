"""The newest measurement, for everything on the rig that shows it or acts on it."""

from dataclasses import dataclass, field
from datetime import datetime

from protocol.messages import CpuGpuSpecs, MinerReading

from cpu_gpu_sentry.machine.sensors import MachineReading
from cpu_gpu_sentry.watches import Watch


@dataclass(slots=True)
class Latest:
    """The newest measurements."""

    measured_at: datetime | None = None
    machine: MachineReading = field(default_factory=MachineReading)
    miners: dict[Watch, MinerReading] = field(default_factory=dict)
    playbook_miners: list[MinerReading] = field(default_factory=list)
    specs: CpuGpuSpecs | None = None
