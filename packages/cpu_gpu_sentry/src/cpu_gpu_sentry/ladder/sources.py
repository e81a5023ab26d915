"""The ladder's senses: the bus, the kernel's log, the driver's events and the boot. Each may be unknown."""

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sentry_kit.worker import Worker

from cpu_gpu_sentry.ladder.card_faults import fault_in_line, xid_fault
from cpu_gpu_sentry.ladder.facts import CardFault
from cpu_gpu_sentry.machine.boot import boot_age_s, boot_id
from cpu_gpu_sentry.machine.kernel_log import KernelLine, KernelLog
from cpu_gpu_sentry.machine.nvidia_events import XidEvents
from cpu_gpu_sentry.machine.pci_bus import DEVICES, cards_on_bus

_READ_LIMIT_S = 3.0
RECENT_S = 1800.0  # older faults count no longer: the card has gone on, or it is missing


@dataclass(frozen=True, slots=True)
class Boot:
    id: str | None
    age_s: float


def this_boot() -> Boot:
    return Boot(boot_id(), boot_age_s())


@dataclass(slots=True)
class Sources:
    """Reads everything that blocks in threads: a hung driver costs its own facts only."""

    boot: Callable[[], Boot] = this_boot
    pci_devices: Path = DEVICES
    kernel_log: KernelLog = field(default_factory=KernelLog)
    xid_events: XidEvents = field(default_factory=XidEvents)
    _faults: dict[tuple[str, int | None], tuple[float, CardFault]] = field(default_factory=dict)
    _unread: list[KernelLine] = field(default_factory=list)  # read for a person, and not looked at for faults yet
    _files: Worker = field(default_factory=lambda: Worker("bus"))
    _driver: Worker = field(default_factory=lambda: Worker("nvidia events"))

    async def cards_on_bus(self) -> frozenset[str] | None:
        with contextlib.suppress(OSError, TimeoutError):
            return await self._files.call(lambda: cards_on_bus(self.pci_devices), timeout_s=_READ_LIMIT_S)
        return None

    async def recent_faults(self, age_s: float) -> tuple[CardFault, ...]:
        """Returns the faults of the last half an hour of this boot, by its age, each card's once."""
        for at_s, fault in [*await self._logged_faults(), *await self._driver_faults(age_s)]:
            self._faults[fault.device, fault.xid] = (at_s, fault)
        recent = {key: each for key, each in self._faults.items() if age_s - each[0] < RECENT_S}
        self._faults = recent
        by_card = {fault.device: fault for _, fault in reversed(recent.values())}
        return tuple(by_card[device] for device in sorted(by_card))

    async def kernel_lines(self) -> list[KernelLine] | None:
        """Returns the newest lines of the kernel's log; None if it can't be read."""
        new = await self._new_lines()
        self._unread += new or []
        return None if new is None else list(self.kernel_log.lines)

    async def _new_lines(self) -> list[KernelLine] | None:
        try:
            return await self._files.call(self.kernel_log.read_new, timeout_s=_READ_LIMIT_S)
        except (OSError, TimeoutError):
            return None

    async def _logged_faults(self) -> list[tuple[float, CardFault]]:
        new = await self._new_lines() or []
        lines, self._unread = [*self._unread, *new], []
        return [(line.at_s, fault) for line in lines if (fault := fault_in_line(line.text)) is not None]

    async def _driver_faults(self, age_s: float) -> list[tuple[float, CardFault]]:
        try:
            events = await self._driver.call(
                lambda: self.xid_events.read_new(time.monotonic()), timeout_s=_READ_LIMIT_S
            )
        except Exception:  # noqa: BLE001 - a driver's library may raise anything, and is worth no failure
            return []
        return [(age_s, fault) for device, xid in events if (fault := xid_fault(device, xid)) is not None]
