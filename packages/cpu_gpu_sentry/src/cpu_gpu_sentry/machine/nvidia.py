"""NVIDIA cards by NVML, the driver's own library. Each figure is asked for by itself: what a card can't tell
is None.

The driver may be missing, die, or lose a card while the sentry runs: those figures become unknown, the
library is tried again a minute later, and a card that was there stays listed.
"""

import contextlib
import ctypes
import importlib
import sys
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from protocol.messages import GpuReading, GpuSpecs

from cpu_gpu_sentry.machine.lost_cards import SeenCards

_RETRY_S = 60
_MEMORY_TEMPERATURE_FIELD = 82  # NVML_FI_DEV_MEMORY_TEMP: data-centre cards with HBM; GeForce says not supported

T = TypeVar("T")


def load_nvml() -> Any | None:
    """The binding `pynvml`, if the driver's library is there; without it 3 MB of binding need not be
    imported."""
    if sys.platform == "linux":
        try:
            ctypes.CDLL("libnvidia-ml.so.1")
        except OSError:
            return None
    return importlib.import_module("pynvml")


class Nvidia:
    """Used by one thread. `load` gives the binding, or None where there is no driver."""

    def __init__(self, load: Callable[[], Any | None] = load_nvml) -> None:
        self._load = load
        self._nvml: Any | None = None
        self._retry_at = 0.0
        self._seen = SeenCards()

    def read(self, now_s: float) -> list[GpuReading]:
        """`now_s` is monotonic."""
        return self._seen.with_lost(_reading(nvml, card, address) for nvml, card, address in self._cards(now_s))

    def specs(self, now_s: float) -> list[GpuSpecs]:
        return [_specs(nvml, card, address) for nvml, card, address in self._cards(now_s)]

    def _cards(self, now_s: float) -> Iterator[tuple[Any, Any, str]]:
        nvml = self._ready(now_s)
        if nvml is None:
            return
        try:
            cards = nvml.nvmlDeviceGetCount()
        except nvml.NVMLError:
            self._give_up(now_s)
            return
        lost = 0
        for index in range(cards):
            try:
                card = nvml.nvmlDeviceGetHandleByIndex(index)
                address = pci_address(nvml.nvmlDeviceGetPciInfo(card).busId)
            except (nvml.NVMLError, ValueError):
                lost += 1  # the others are not
                continue
            yield nvml, card, address
        if lost and lost == cards:
            self._give_up(now_s)

    def _ready(self, now_s: float) -> Any | None:
        if self._nvml is None and now_s >= self._retry_at:
            nvml = self._load()
            self._retry_at = now_s + _RETRY_S
            if nvml is None:
                return None
            try:
                nvml.nvmlInit()
            except nvml.NVMLError:
                return None
            self._nvml = nvml
        return self._nvml

    def _give_up(self, now_s: float) -> None:
        nvml, self._nvml = self._nvml, None
        self._retry_at = now_s + _RETRY_S
        if nvml is not None:
            with contextlib.suppress(nvml.NVMLError):
                nvml.nvmlShutdown()


def pci_address(bus_id: str | bytes) -> str:
    """`00000000:03:00.0` as `0000:03:00.0`."""
    text = bus_id.decode("ascii") if isinstance(bus_id, bytes) else bus_id
    domain, bus, device = text.lower().split(":")
    return f"{int(domain, 16):04x}:{bus}:{device}"


def _ask(nvml: Any, function: Callable[[], T]) -> T | None:
    """Returns the driver's answer; None if it, this card or this version of the library has none."""
    try:
        return function()
    except (nvml.NVMLError, AttributeError):
        return None


def _reading(nvml: Any, card: Any, address: str) -> GpuReading:
    power_mw = _ask(nvml, lambda: nvml.nvmlDeviceGetPowerUsage(card))
    return GpuReading(
        pci_address=address,
        temperature_c=_number(_ask(nvml, lambda: nvml.nvmlDeviceGetTemperature(card, nvml.NVML_TEMPERATURE_GPU))),
        memory_temperature_c=_memory_temperature_c(nvml, card),
        fan_percent=_fastest_fan(nvml, card),
        fan_rpm=_number(_ask(nvml, lambda: _fan_rpm(nvml, card))),
        power_w=None if power_mw is None else power_mw / 1000,
        core_clock_mhz=_number(_ask(nvml, lambda: nvml.nvmlDeviceGetClockInfo(card, nvml.NVML_CLOCK_GRAPHICS))),
        memory_clock_mhz=_number(_ask(nvml, lambda: nvml.nvmlDeviceGetClockInfo(card, nvml.NVML_CLOCK_MEM))),
    )


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _memory_temperature_c(nvml: Any, card: Any) -> float | None:
    values = _ask(nvml, lambda: nvml.nvmlDeviceGetFieldValues(card, [_MEMORY_TEMPERATURE_FIELD]))
    if not values or values[0].nvmlReturn != nvml.NVML_SUCCESS:
        return None
    return _number(values[0].value.uiVal) or None


def _fastest_fan(nvml: Any, card: Any) -> float | None:
    fans = _ask(nvml, lambda: nvml.nvmlDeviceGetNumFans(card)) or 0
    speeds = [_fan_percent(nvml, card, fan) for fan in range(fans)]
    return max((float(speed) for speed in speeds if speed is not None), default=None)


def _fan_percent(nvml: Any, card: Any, fan: int) -> int | None:
    return _ask(nvml, lambda: int(nvml.nvmlDeviceGetFanSpeed_v2(card, fan)))


def _fan_rpm(nvml: Any, card: Any) -> object:
    rpm = nvml.nvmlDeviceGetFanSpeedRPM(card)
    return getattr(rpm, "speed", rpm)


def _specs(nvml: Any, card: Any, address: str) -> GpuSpecs:
    memory = _ask(nvml, lambda: nvml.nvmlDeviceGetMemoryInfo(card).total)
    return GpuSpecs(
        pci_address=address,
        vendor="NVIDIA",
        name=_text(_ask(nvml, lambda: nvml.nvmlDeviceGetName(card))),
        uuid=_text(_ask(nvml, lambda: nvml.nvmlDeviceGetUUID(card))),
        memory_bytes=None if memory is None else int(memory),
        driver_version=_text(_ask(nvml, lambda: nvml.nvmlSystemGetDriverVersion())),
        vbios_version=_text(_ask(nvml, lambda: nvml.nvmlDeviceGetVbiosVersion(card))),
    )


def _text(value: str | bytes | None) -> str | None:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    return text[:256] if text else None
