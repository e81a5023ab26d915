"""All sensors of the machine, each kind in a thread of its own: one hung driver costs its own figures
only."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from protocol.messages import CpuGpuSpecs, CpuReading, GpuReading, GpuSpecs
from protocol.reading import Reader
from sentry_kit.impossible import left_out
from sentry_kit.worker import Worker

from cpu_gpu_sentry.machine.amd import Amd
from cpu_gpu_sentry.machine.cpu import CpuMeter, memory_used_bytes, uptime_s
from cpu_gpu_sentry.machine.disk import disk_problem
from cpu_gpu_sentry.machine.nvidia import Nvidia
from cpu_gpu_sentry.machine.specs import machine_specs

log = logging.getLogger(__name__)

_READ_LIMIT_S = 3.0
_FIRST_LIMIT_S = 15.0  # NVIDIA's driver takes seconds to wake many cards, and the specs must have all of them
_SPECS_LIMIT_S = 10.0

_CPU, _GPU = Reader(CpuReading), Reader(GpuReading)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class MachineReading:
    """The readings of the machine's own sensors at one moment."""

    uptime_s: int | None = None
    cpu: CpuReading | None = None
    memory_used_bytes: int | None = None
    disk_problem: str | None = None
    gpus: list[GpuReading] = field(default_factory=list)


class Sensors:
    """Reads everything; what does not answer in time, or fails, is unknown."""

    def __init__(
        self,
        nvidia: Nvidia,
        amd: Amd,
        *,
        data_dir: Path | None = None,
        limit_s: float = _READ_LIMIT_S,
        first_limit_s: float = _FIRST_LIMIT_S,
    ) -> None:
        self._data_dir = data_dir
        self._nvidia, self._amd, self._limit_s = nvidia, amd, limit_s
        self._limits_s = {"nvidia": first_limit_s, "amd": first_limit_s}
        self._cpu = CpuMeter()
        self._workers = {name: Worker(name) for name in ("machine", "nvidia", "amd")}
        self._silent: set[str] = set()
        self._last: dict[str, list[GpuReading]] = {"nvidia": [], "amd": []}
        self._cards: dict[str, GpuSpecs] = {}

    async def read(self) -> MachineReading:
        async with asyncio.TaskGroup() as group:
            machine = group.create_task(self._try("machine", self._machine, self._limit_s))
            nvidia = group.create_task(self._gpus("nvidia", lambda: self._nvidia.read(time.monotonic())))
            amd = group.create_task(self._gpus("amd", self._amd.read))
        reading = machine.result() or MachineReading()
        cards = sorted([*nvidia.result(), *amd.result()], key=lambda gpu: gpu.pci_address)
        gpus = [left_out(_GPU, gpu, gpu.pci_address) for gpu in cards]
        return replace(reading, gpus=gpus)

    async def specs(self, sentry_version: str) -> CpuGpuSpecs | None:
        """None if the machine itself does not answer.

        A card that was there stays listed: one that fell off the bus is lost, not removed. Cards are taken out while
        the machine is off, and the next start of the sentry begins a new list.
        """
        nvidia = await self._try("nvidia", lambda: self._nvidia.specs(time.monotonic()), _SPECS_LIMIT_S)
        amd = await self._try("amd", self._amd.specs, _SPECS_LIMIT_S)
        self._cards |= {gpu.pci_address: gpu for gpu in (*(nvidia or []), *(amd or []))}
        gpus = [self._cards[address] for address in sorted(self._cards)]
        return await self._try("machine", lambda: machine_specs(gpus, sentry_version), _SPECS_LIMIT_S)

    def _machine(self) -> MachineReading:
        cpu = left_out(_CPU, self._cpu.read(), "the processor")
        problem = disk_problem(self._data_dir) if self._data_dir else None
        return MachineReading(uptime_s(), cpu, memory_used_bytes(), problem)

    async def _gpus(self, vendor: str, read: Callable[[], list[GpuReading]]) -> list[GpuReading]:
        """Cards that were there stay listed when their driver hangs: with nothing known about them."""
        gpus = await self._try(vendor, read, self._limits_s[vendor])
        self._limits_s[vendor] = self._limit_s
        if gpus is None:
            return [GpuReading(pci_address=gpu.pci_address) for gpu in self._last[vendor]]
        self._last[vendor] = gpus
        return gpus

    async def _try(self, name: str, function: Callable[[], T], limit_s: float) -> T | None:
        try:
            result = await self._workers[name].call(function, timeout_s=limit_s)
        except Exception as error:  # noqa: BLE001 - no sensor is worth the report
            if name not in self._silent:
                log.warning("sensors_silent %s (%s)", name, type(error).__name__)
            self._silent.add(name)
            return None
        self._silent.discard(name)
        return result
