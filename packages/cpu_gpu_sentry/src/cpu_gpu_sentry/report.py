"""Makes one log of the measurements."""

from datetime import UTC, datetime

from protocol.messages import CpuGpuLog, MinerReading

from cpu_gpu_sentry.machine.sensors import MachineReading


def make_log(taken_at_ms: int, machine: MachineReading, miners: list[MinerReading], lan_ip: str | None) -> CpuGpuLog:
    return CpuGpuLog(
        taken_at=datetime.fromtimestamp(taken_at_ms / 1000, UTC),
        uptime_s=machine.uptime_s,
        lan_ip=lan_ip,
        cpu=machine.cpu,
        memory_used_bytes=machine.memory_used_bytes,
        disk_problem=machine.disk_problem,
        gpus=machine.gpus,
        miners=miners,
    )
