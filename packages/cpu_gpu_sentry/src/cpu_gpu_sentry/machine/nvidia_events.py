"""Xid errors of NVIDIA cards by NVML's event set, which needs no rights, unlike the kernel log."""

import contextlib
from collections.abc import Callable
from typing import Any

from cpu_gpu_sentry.machine.nvidia import load_nvml, pci_address

_RETRY_S = 60.0
_MOST_EVENTS = 1000  # of one look


class XidEvents:
    """Used by one thread. Events of before the first look are not known."""

    def __init__(self, load: Callable[[], Any | None] = load_nvml) -> None:
        self._load = load
        self._nvml: Any | None = None
        self._events: Any | None = None
        self._retry_at_s = 0.0

    def read_new(self, now_s: float) -> list[tuple[str, int]]:
        """Returns the cards' addresses and Xids since the last look; `now_s` is monotonic."""
        if self._events is None and not self._open(now_s):
            return []
        nvml, events = self._nvml, list[tuple[str, int]]()
        assert nvml is not None  # noqa: S101 - it is there while the events are
        try:
            while len(events) < _MOST_EVENTS:
                event = nvml.nvmlEventSetWait_v2(self._events, 0)
                if event.eventType == nvml.nvmlEventTypeXidCriticalError:
                    events.append((_address_of(nvml, event.device), int(event.eventData)))
        except nvml.NVMLError as error:
            if getattr(error, "value", None) != nvml.NVML_ERROR_TIMEOUT:
                self._close(now_s)
        return [(device, xid) for device, xid in events if device]

    def _open(self, now_s: float) -> bool:
        if now_s < self._retry_at_s:
            return False
        self._retry_at_s = now_s + _RETRY_S
        nvml = self._load()
        if nvml is None:
            return False
        try:
            nvml.nvmlInit()
            self._nvml, self._events = nvml, nvml.nvmlEventSetCreate()
            for index in range(nvml.nvmlDeviceGetCount()):
                with contextlib.suppress(nvml.NVMLError):  # the other cards have theirs
                    card = nvml.nvmlDeviceGetHandleByIndex(index)
                    nvml.nvmlDeviceRegisterEvents(card, nvml.nvmlEventTypeXidCriticalError, self._events)
        except nvml.NVMLError:
            self._close(now_s)
            return False
        return True

    def _close(self, now_s: float) -> None:
        nvml, events = self._nvml, self._events
        self._nvml, self._events, self._retry_at_s = None, None, now_s + _RETRY_S
        if nvml is not None:
            with contextlib.suppress(nvml.NVMLError):
                nvml.nvmlEventSetFree(events)
            with contextlib.suppress(nvml.NVMLError):
                nvml.nvmlShutdown()


def _address_of(nvml: Any, card: Any) -> str:
    """Returns the card's address; a card that fell off the bus may have none any longer."""
    try:
        return pci_address(nvml.nvmlDeviceGetPciInfo(card).busId)
    except (nvml.NVMLError, ValueError):
        return ""
