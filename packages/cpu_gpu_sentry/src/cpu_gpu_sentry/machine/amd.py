"""AMD cards by sysfs (Linux's amdgpu driver): no library, no root. The path is an argument, for the tests'
own tree.

Per card `device/hwmon/hwmon*/`: temp*_input with labels edge, junction, mem (m°C), power1_average or
power1_input (µW), fan1_input (RPM), pwm1 (0 to 255), freq1_input and freq2_input (Hz).
"""

import re
from collections.abc import Iterator
from pathlib import Path

from protocol.messages import GpuReading, GpuSpecs
from sentry_kit.impossible import possible

from cpu_gpu_sentry.machine.lost_cards import SeenCards

DRM = Path("/sys/class/drm")
_CARD = re.compile(r"card\d+", re.ASCII)
_PCI = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]", re.ASCII)
_AMD = "0x1002"


class Amd:
    """The cards of one machine; a card that is lost stays listed."""

    def __init__(self, drm: Path = DRM) -> None:
        self._drm = drm
        self._seen = SeenCards()

    def read(self) -> list[GpuReading]:
        return self._seen.with_lost(_reading(address, device) for address, device in _cards(self._drm))

    def specs(self) -> list[GpuSpecs]:
        return [_specs(address, device) for address, device in _cards(self._drm)]


def _cards(drm: Path) -> Iterator[tuple[str, Path]]:
    if not drm.is_dir():
        return
    for card in sorted(drm.iterdir()):
        if not _CARD.fullmatch(card.name) or _text(card / "device" / "vendor") != _AMD:
            continue
        address = (card / "device").resolve().name.lower()
        if _PCI.fullmatch(address):
            yield address, card / "device"


def _reading(address: str, device: Path) -> GpuReading:
    hwmon = next(iter(sorted(device.glob("hwmon/hwmon*"))), None)
    if hwmon is None:
        return GpuReading(pci_address=address)
    temperatures = dict(_temperatures(hwmon, address))
    power = _number(hwmon / "power1_average", 1e6) or _number(hwmon / "power1_input", 1e6)
    pwm = _number(hwmon / "pwm1", 2.55)
    return GpuReading(
        pci_address=address,
        temperature_c=temperatures.get("edge") or temperatures.get("junction"),
        memory_temperature_c=temperatures.get("mem"),
        fan_percent=None if pwm is None else round(min(pwm, 100.0), 1),
        fan_rpm=_number(hwmon / "fan1_input", 1),
        power_w=power or None,
        core_clock_mhz=_number(hwmon / "freq1_input", 1e6) or None,
        memory_clock_mhz=_number(hwmon / "freq2_input", 1e6) or None,
    )


def _temperatures(hwmon: Path, address: str) -> Iterator[tuple[str, float | None]]:
    """Returns temperatures by label. The driver reports 511 °C for a card that is lost."""
    for number in (1, 2, 3):
        label = _text(hwmon / f"temp{number}_label") or ("edge" if number == 1 else None)
        if label is not None:
            temperature_c = _number(hwmon / f"temp{number}_input", 1000) or None
            yield label, possible("temperature_c", temperature_c, f"{address} {label}")


def _specs(address: str, device: Path) -> GpuSpecs:
    memory = _number(device / "mem_info_vram_total", 1)
    return GpuSpecs(
        pci_address=address,
        vendor="AMD",
        name=_text(device / "product_name") or f"AMD GPU {(_text(device / 'device') or '').removeprefix('0x')}".strip(),
        uuid=_text(device / "unique_id"),
        memory_bytes=None if memory is None else int(memory),
        vbios_version=_text(device / "vbios_version"),
    )


def _text(path: Path) -> str | None:
    try:
        return path.read_text("utf-8", "replace").strip()[:256] or None
    except OSError:
        return None


def _number(path: Path, divisor: float) -> float | None:
    """None if the file is not there, not readable now (a sleeping card) or no number."""
    try:
        value = float(path.read_text("ascii").strip())
    except (OSError, ValueError):
        return None
    return value / divisor if value >= 0 else None
