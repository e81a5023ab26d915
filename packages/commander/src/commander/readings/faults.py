"""Faults of a rig that one log shows, in the words of pages."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from protocol.messages import PROXIES, CpuGpuLog, CpuReading, GpuReading, MinerReading, MinerState
from protocol.miner_words import has_word_for_trouble, miner_word

GPU_TOO_HOT_C = 85.0
GPU_MEMORY_TOO_HOT_C = 108.0
CPU_TOO_HOT_C = 95.0
FAN_NEEDED_ABOVE_C = 60.0
REJECTED_TOO_MANY_PERCENT = 8.0
CONFIDENCE_Z = 1.96  # 95 %
_MINING = MinerState.MINING


class Fault(NamedTuple):
    """Something that is wrong now, and the alert rule that it breaks.

    `words` have a place for the `value`, which changes from log to log: "Too hot: GPU 03:00 {}" and "97 °C". The same
    words in the next log are the same fault.
    """

    rule: str
    words: str
    value: str = ""

    @property
    def text(self) -> str:
        """For people: "Too hot: GPU 03:00 97 °C"."""
        return self.words.replace("{}", self.value)


def faults_of(log: CpuGpuLog, gpus: list[GpuReading]) -> tuple[Fault, ...]:
    """Returns the faults of a CPU/GPU rig, worst first. `gpus` are its cards with all that is known of them.

    If the cards `are_well`, none of them is needed.
    """
    return (*_of_miners(log), *_of_cpu(log.cpu), *_of_gpus(gpus), *_of_shares(log), *_of_disk(log))


def _of_miners(log: CpuGpuLog) -> Iterator[Fault]:
    for miner in log.miners:
        if miner.state is _MINING and miner.trouble is None and any([each.hashrate_hs for each in miner.algorithms]):
            continue  # the usual log: it is worked out for every one that comes in
        if words := _words_of(miner):
            yield Fault("no_hashrate", f"{words}: {miner.software}" if len(log.miners) > 1 else words)


def _words_of(miner: MinerReading) -> str:
    """Returns why the software mines nothing or gives no values; empty if it mines, starts, or nothing is known."""
    if miner.state is MinerState.FAILED:
        return "Miner failed"
    if miner.state is MinerState.STOPPED:
        return "Not mining"
    if miner.state is MinerState.API_SILENT or has_word_for_trouble(miner):
        return miner_word(miner)
    return "Not mining" if miner.state is MinerState.STALLED or _hashes_nothing(miner) else ""


def _hashes_nothing(miner: MinerReading) -> bool:
    """Returns whether the software reports 0 H/s. An unknown hashrate is no fault."""
    is_mining = miner.state is MinerState.MINING and miner.software not in PROXIES
    return is_mining and bool(miner.algorithms) and all(each.hashrate_hs == 0 for each in miner.algorithms)


def _of_cpu(cpu: CpuReading | None) -> Sequence[Fault]:
    if cpu is None or cpu.temperature_c is None or cpu.temperature_c < CPU_TOO_HOT_C:
        return ()
    return [Fault("temperature", "Too hot: CPU {}", f"{cpu.temperature_c:.0f} °C")]


def _of_gpus(gpus: list[GpuReading]) -> Iterator[Fault]:
    for gpu in gpus:
        core_c, memory_c = gpu.temperature_c, gpu.memory_temperature_c
        if core_c is not None and core_c >= GPU_TOO_HOT_C:
            yield Fault("temperature", f"Too hot: {card_name(gpu.pci_address)} {{}}", f"{core_c:.0f} °C")
        elif memory_c is not None and memory_c >= GPU_MEMORY_TOO_HOT_C:
            yield Fault("temperature", f"Too hot: memory of {card_name(gpu.pci_address)} {{}}", f"{memory_c:.0f} °C")
        if core_c is not None and core_c > FAN_NEEDED_ABOVE_C and 0 in (gpu.fan_percent, gpu.fan_rpm):
            yield Fault("fan", f"Fan 0 %: {card_name(gpu.pci_address)}")


def are_well(hottest_c: float | None, hottest_memory_c: float | None, fans: Sequence[Sequence[float | None]]) -> bool:
    """Returns whether no card has a fault, from the highest temperatures and all fan speeds.

    It is true of most logs, and then each card need not be checked. `fans` are the cards' fan speeds in each unit.
    """
    is_cool = (hottest_c or 0) < GPU_TOO_HOT_C and (hottest_memory_c or 0) < GPU_MEMORY_TOO_HOT_C
    return is_cool and not any([0 in speeds for speeds in fans])


def card_name(device: str) -> str:
    """Returns "GPU 03:00" for 0000:03:00.0, as the system calls the card."""
    return f"GPU {device.removeprefix('0000:').removesuffix('.0')}"


def _of_shares(log: CpuGpuLog) -> Sequence[Fault]:
    accepted = refused = 0
    for miner in log.miners:
        for each in miner.algorithms if miner.software not in PROXIES else ():
            accepted += each.accepted or 0
            refused += (each.rejected or 0) + (each.stale or 0) + (each.invalid or 0)
    percent = 100 * refused / (accepted + refused) if refused else 0.0
    if percent < REJECTED_TOO_MANY_PERCENT or surely_percent(refused, accepted + refused) < REJECTED_TOO_MANY_PERCENT:
        return ()
    return [Fault("rejected", "{} rejected", f"{percent:.0f} %")]


def _of_disk(log: CpuGpuLog) -> Sequence[Fault]:
    return [Fault("disk", "Disk: {}", log.disk_problem)] if log.disk_problem else ()


def surely_percent(part: int, whole: int) -> float:
    """Returns the lower bound of the Wilson interval: 2 of 20 is 10 %, but surely only 2.8 %.

    >>> round(surely_percent(2, 20), 1)
    2.8
    """
    share, square = part / whole, CONFIDENCE_Z**2
    middle = share + square / (2 * whole)
    spread = CONFIDENCE_Z * math.sqrt(share * (1 - share) / whole + square / (4 * whole**2))
    return 100 * (middle - spread) / (1 + square / whole)
