"""One log from what was measured."""

from collections import deque
from datetime import UTC, datetime

from protocol.messages import CpuGpuLog, MinerReading

from cpu_gpu_sentry.machine.sensors import MachineReading

_REMEMBERED = 1000


class Stamps:
    """Moments for logs, in milliseconds: never the same twice, also when the clock is set back."""

    def __init__(self) -> None:
        self._given: deque[int] = deque(maxlen=_REMEMBERED)

    def next_ms(self, now: datetime) -> int:
        moment = round(now.timestamp() * 1000)
        while moment in self._given:
            moment += 1
        self._given.append(moment)
        return moment


def make_log(taken_at_ms: int, machine: MachineReading, miners: list[MinerReading], lan_ip: str | None) -> CpuGpuLog:
    return CpuGpuLog(
        taken_at=datetime.fromtimestamp(taken_at_ms / 1000, UTC),
        uptime_s=machine.uptime_s,
        lan_ip=lan_ip,
        cpu=machine.cpu,
        memory_used_bytes=machine.memory_used_bytes,
        gpus=machine.gpus,
        miners=miners,
    )
