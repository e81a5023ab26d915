"""Hardware of simulated rigs. The rates are of the size that operators report for these cards."""

from collections.abc import Sequence
from typing import NamedTuple

from protocol.messages import CpuGpuSpecs, CpuSpecs, GpuSpecs, MotherboardSpecs

GIB = 2**30


class Work(NamedTuple):
    """One algorithm on one model: hashrate and power at full load; `second` in dual mining."""

    software: str
    version: str
    algorithm: str
    coin: str
    hashrate_hs: float
    power_w: float
    second: tuple[str, str, float] | None = None


class Gpu(NamedTuple):
    name: str
    vendor: str
    memory_gib: int
    core_mhz: float
    memory_mhz: float
    works: Sequence[Work]


class Cpu(NamedTuple):
    name: str
    cores: int
    hashrate_hs: float
    power_w: float


GPUS = (
    Gpu("NVIDIA GeForce RTX 3060 Ti", "NVIDIA", 8, 1410, 7000, (
        Work("lolminer", "1.92", "Autolykos V2", "Ergo", 122e6, 118),
        Work("lolminer", "1.92", "NexaPow", "Nexa", 78e6, 165),
    )),
    Gpu("NVIDIA GeForce RTX 3080", "NVIDIA", 10, 1320, 9501, (
        Work("lolminer", "1.92", "NexaPow", "Nexa", 138e6, 238),
        Work("rigel", "1.19.1", "kheavyhash", "Kaspa", 890e6, 170),
    )),
    Gpu("NVIDIA GeForce RTX 4090", "NVIDIA", 24, 2520, 10501, (
        Work("rigel", "1.19.1", "nexapow", "Nexa", 335e6, 330),
        Work("lolminer", "1.92", "Autolykos V2", "Ergo", 255e6, 228, ("kHeavyHash", "Kaspa", 410e6)),
    )),
    Gpu("AMD Radeon RX 6800", "AMD", 16, 1300, 2100, (
        Work("teamredminer", "0.10.21", "autolykos2", "Ergo", 116e6, 92),
        Work("lolminer", "1.92", "kHeavyHash", "Kaspa", 420e6, 108),
    )),
)  # fmt: skip
CPUS = (
    Cpu("AMD Ryzen 9 5950X 16-Core Processor", 16, 17_000, 142),
    Cpu("AMD Ryzen 9 7950X 16-Core Processor", 16, 21_500, 170),
    Cpu("AMD EPYC 7742 64-Core Processor", 64, 43_000, 225),
)
XMRIG = Work("xmrig", "6.22.2", "rx/0", "Monero", 0, 0)
POOLS = {"Monero": "pool.example:443", "Ergo": "ergo.pool.example:3056", "Nexa": "nexa.pool.example:9999"}


def specs_of(hostname: str, cpu: Cpu, gpu: Gpu | None, cards: int) -> CpuGpuSpecs:
    return CpuGpuSpecs(
        hostname=hostname,
        os="Debian GNU/Linux 13 (simulated)",
        cpu=CpuSpecs(name=cpu.name, cores=cpu.cores, threads=2 * cpu.cores),
        memory_bytes=32 * GIB,
        motherboard=MotherboardSpecs(vendor="Simulated", name="Board S-1", bios_version="1.0"),
        gpus=[_gpu_specs(gpu, address(slot)) for slot in range(cards)] if gpu else [],
        sentry_version="simulated",
    )


def address(slot: int) -> str:
    return f"0000:{slot + 1:02x}:00.0"


def _gpu_specs(gpu: Gpu, pci_address: str) -> GpuSpecs:
    return GpuSpecs(
        pci_address=pci_address,
        vendor=gpu.vendor,
        name=gpu.name,
        memory_bytes=gpu.memory_gib * GIB,
        driver_version="580.95" if gpu.vendor == "NVIDIA" else "6.16",
    )
