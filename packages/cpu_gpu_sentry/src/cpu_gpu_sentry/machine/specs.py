"""The rig's hardware except its cards."""

import platform
import socket
from pathlib import Path

import psutil
from protocol.messages import CpuGpuSpecs, GpuSpecs, MotherboardSpecs

from cpu_gpu_sentry.machine.cpu import cpu_specs

DMI = Path("/sys/class/dmi/id")


def machine_specs(gpus: list[GpuSpecs], sentry_version: str) -> CpuGpuSpecs:
    return CpuGpuSpecs(
        hostname=socket.gethostname()[:256] or None,
        os=_os_name(),
        cpu=cpu_specs(),
        memory_bytes=int(psutil.virtual_memory().total),
        motherboard=board_specs(),
        gpus=gpus,
        sentry_version=sentry_version,
    )


def _os_name() -> str:
    """ "Debian GNU/Linux 13 (trixie), Linux 6.12.1", "Windows 11"."""
    system = f"{platform.system()} {platform.release()}"
    try:
        return f"{platform.freedesktop_os_release()['PRETTY_NAME']}, {system}"[:256]
    except (OSError, KeyError):
        return system[:256]


def board_specs(dmi: Path = DMI) -> MotherboardSpecs | None:
    """Linux only, and only where the firmware tells; serial numbers are neither readable nor wanted."""
    specs = MotherboardSpecs(
        vendor=_line(dmi / "board_vendor"),
        name=_line(dmi / "board_name"),
        bios_version=_line(dmi / "bios_version"),
    )
    return None if specs == MotherboardSpecs() else specs


def _line(path: Path) -> str | None:
    try:
        return path.read_text("utf-8", "replace").strip()[:256] or None
    except OSError:
        return None
