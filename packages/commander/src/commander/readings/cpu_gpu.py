"""Reads the logs of a CPU/GPU rig."""

from collections.abc import Iterable
from copy import copy
from operator import attrgetter
from typing import TypeVar

from msgspec.structs import force_setattr
from protocol.figure_types import Holder
from protocol.figures import gauges_of
from protocol.messages import PROXIES, CpuGpuLog, CpuReading, GpuReading, MinerDevice, MinerReading
from protocol.miners_apart import with_own_cards

from commander.readings.faults import are_well, faults_of
from commander.readings.summary import RigSummary, Work, bounded
from commander.readings.traits import mining_of_cpu_gpu

Number = TypeVar("Number", int, float)

OF_GPU_AND_MINER = tuple(name for name in gauges_of(Holder.GPU) if name in MinerDevice.__struct_fields__)
_of_both = attrgetter(*OF_GPU_AND_MINER)  # all values in one step: the cards of each log that comes in are read by it
_NOTHING = (None,) * len(OF_GPU_AND_MINER)
_in_summary = attrgetter("power_w", "temperature_c", "fan_percent", "fan_rpm", "memory_temperature_c")
_NO_CARDS = ((), (), (), (), ())


def summary_of(log: CpuGpuLog) -> RigSummary:
    """The log in a few figures. It is worked out for every log that comes in."""
    readings = [each for miner in log.miners if miner.software not in PROXIES for each in miner.algorithms]
    hashrates: dict[Work, float | None] = {}
    for reading in readings:
        work, hashrate_hs = Work(reading.coin, reading.algorithm), reading.hashrate_hs
        hashrates[work] = total((hashrates[work], hashrate_hs)) if work in hashrates else hashrate_hs
    devices = [device for miner in log.miners for device in miner.devices]
    is_left_to_drivers = [*map(_of_both, devices)].count(_NOTHING) == len(devices)  # as by most miners
    gpus = log.gpus if is_left_to_drivers else merged_devices(log)
    cards = zip(*map(_in_summary, gpus), strict=True) if gpus else _NO_CARDS
    powers_w, temperatures_c, fans_percent, fans_rpm, memories_c = cards
    hottest_c, hottest_memory_c = highest(temperatures_c), highest(memories_c)
    suspects = [] if are_well(hottest_c, hottest_memory_c, (fans_percent, fans_rpm)) else gpus
    cpu = log.cpu or CpuReading()
    return RigSummary(
        hashrates_hs=bounded(hashrates),
        power_w=total([cpu.power_w, *powers_w]),
        temperature_c=highest((cpu.temperature_c, hottest_c)),
        fan_percent=highest(fans_percent),
        fan_rpm=highest(fans_rpm),
        accepted=total([reading.accepted for reading in readings]),
        rejected=total([reading.rejected for reading in readings]),
        uptime_s=log.uptime_s,
        memory_temperature_c=hottest_memory_c,
        faults=faults_of(log, suspects),
        miners=len(log.miners),
        gpus=sum(not gpu.is_lost for gpu in log.gpus),
        mining=mining_of_cpu_gpu(log),
    )


def merged_devices(log: CpuGpuLog) -> list[GpuReading]:
    """Returns the log's GPUs. Values that the driver does not have are taken from the card's mining software."""
    miners = with_own_cards(log.miners)
    by_address: dict[str, GpuReading] = {gpu.pci_address: gpu for gpu in log.gpus}
    for device in (device for miner in miners for device in miner.devices if device.device != "cpu"):
        measured = by_address.get(device.device) or GpuReading(pci_address=device.device)
        by_address[device.device] = _filled(measured, device)
    return list(by_address.values())


def _filled(gpu: GpuReading, device: MinerDevice) -> GpuReading:
    """Returns the card with the miner's values wherever it has none. Called for the cards of each log that comes in."""
    values = _of_both(device)
    if values == _NOTHING:
        return gpu
    filled = gpu
    for name, own, value in zip(OF_GPU_AND_MINER, _of_both(gpu), values, strict=True):
        if own is None and value is not None:
            filled = copy(gpu) if filled is gpu else filled
            force_setattr(filled, name, value)  # quicker than `replace`; nothing else refers to the copy yet
    return filled


def device_hashrates(miners: Iterable[MinerReading], device: str) -> dict[Work, float | None]:
    """Returns the hashrate of `device` (as in `MinerDevice.device`) for each work, over all mining software on it."""
    hashrates: dict[Work, float | None] = {}
    for miner in miners:
        for part in (part for part in miner.devices if part.device == device):
            for algorithm, hashrate_hs in zip(miner.algorithms, part.hashrates_hs, strict=False):
                work = Work(algorithm.coin, algorithm.algorithm)
                hashrates[work] = total((hashrates.get(work), hashrate_hs))
    return hashrates


def total(values: Iterable[Number | None]) -> Number | None:
    """The sum of what is known; None if nothing is."""
    numbers = [value for value in values if value is not None]
    return sum(numbers) if numbers else None


def highest(values: Iterable[float | None]) -> float | None:
    numbers = [value for value in values if value is not None]
    return max(numbers) if numbers else None
