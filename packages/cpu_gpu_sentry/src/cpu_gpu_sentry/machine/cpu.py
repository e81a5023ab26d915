"""The processor: what it is, and what it does now."""

import platform
import re
import sys
import time
from pathlib import Path

import psutil
from protocol.messages import CpuReading, CpuSpecs
from sentry_kit.impossible import possible

# (chip, label) in the order of trust: of those that match, the hottest counts. AMD's Tctl may have an offset of up to
# 27 °C, for the fans; Tdie has none. The boards of ARM processors have zones: soc_thermal, bigcore0_thermal, ….
_TEMPERATURES = [
    (re.compile(chip), re.compile(label))
    for chip, label in (
        ("coretemp", r"Package id \d+"),
        ("coretemp", ".*"),
        ("k10temp", "Tdie"),
        ("k10temp", "Tctl"),
        ("k10temp", ".*"),
        ("zenpower", "Tdie"),
        ("zenpower", ".*"),
        (r"(cpu|soc|core|bigcore|littlecore|cluster|package)[\w-]*[_-]thermal", ".*"),
    )
]


class CpuMeter:
    """Load is measured between two readings of one thread: the first has none (psutil says 0.0 then)."""

    def __init__(self) -> None:
        self._measured_before = False

    def read(self) -> CpuReading:
        load = psutil.cpu_percent(interval=None)
        has_load, self._measured_before = self._measured_before, True
        return CpuReading(temperature_c=cpu_temperature_c(), load_percent=load if has_load else None)


def cpu_temperature_c() -> float | None:
    """Returns the temperature of the hottest processor; None on virtual machines, Windows and macOS."""
    if not hasattr(psutil, "sensors_temperatures"):
        return None
    try:
        sensors = psutil.sensors_temperatures()
    except (OSError, ValueError):
        return None
    for chips, labels in _TEMPERATURES:
        temperatures = [
            possible("temperature_c", sensor.current, f"{chip} {sensor.label}".strip())
            for chip, of_chip in sensors.items()
            if chips.fullmatch(chip)
            for sensor in of_chip
            if labels.fullmatch(sensor.label or "") and sensor.current and sensor.current > 0
        ]
        if (hottest := max((each for each in temperatures if each is not None), default=None)) is not None:
            return float(hottest)
    return None


def memory_used_bytes() -> int | None:
    try:
        memory = psutil.virtual_memory()
    except (OSError, ValueError):
        return None
    return int(memory.total - memory.available)


def uptime_s() -> int:
    """Since the machine started; on Linux by a clock that no one sets."""
    if sys.platform == "linux":
        return int(time.clock_gettime(time.CLOCK_BOOTTIME))
    return max(0, int(time.time() - psutil.boot_time()))


def cpu_specs(cpuinfo: Path = Path("/proc/cpuinfo")) -> CpuSpecs:
    return CpuSpecs(
        name=_cpu_name(cpuinfo), cores=psutil.cpu_count(logical=False), threads=psutil.cpu_count(logical=True)
    )


def _cpu_name(cpuinfo: Path) -> str | None:
    try:
        lines = cpuinfo.read_text("utf-8", "replace").splitlines()
    except OSError:
        return platform.processor()[:256] or None
    for line in lines:
        key, _, value = line.partition(":")
        if key.strip() in ("model name", "Model"):
            return value.strip()[:256] or None
    return platform.processor()[:256] or None
