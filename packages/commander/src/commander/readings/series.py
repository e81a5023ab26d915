"""Splits a log into series: one value per metric, device, algorithm and coin. A device of None is the whole rig.

Metrics are named as in the messages. Counters (`COUNTERS`) belong to a source, which is the mining software or pool
that counts, because each restarts from zero alone. Its name stands in place of the device, after `SOURCE`; readers add
up the sources.

Programs spell one algorithm differently, and people one coin; a series has the name that totals use.
"""

from collections.abc import Collection
from functools import lru_cache
from operator import attrgetter
from typing import Protocol

import msgspec
from protocol.asic_messages import AsicBoard, AsicLog
from protocol.figure_types import Holder, Whole
from protocol.figures import COUNTERS, counters_of, gauges_of, gauges_with
from protocol.messages import PROXIES, CpuGpuLog, CpuReading, GpuReading, MinerDevice, MinerReading
from protocol.miners_apart import source_names, with_own_cards
from protocol.reading import Reader

from commander.readings.algorithms import one_name
from commander.readings.coins import one_coin
from commander.readings.cpu_gpu import OF_GPU_AND_MINER, highest, merged_devices, total
from commander.readings.summary import Work
from commander.registry.kinds import RigKind

Series = tuple[str, str | None, str | None, str | None]  # figure, device, algorithm, coin
Readings = dict[Series, float]

SOURCE = "*"
HASHRATE, POWER, ALIVE = "hashrate_hs", "power_w", "alive"
OF_MINERS = COUNTERS | {HASHRATE, ALIVE}
_OF_RIG, _OF_CPU, _OF_GPU = gauges_of(Holder.RIG), gauges_of(Holder.CPU), gauges_of(Holder.GPU)
_OF_ASIC, _OF_BOARD = gauges_of(Holder.ASIC), gauges_of(Holder.BOARD)
_HIGHEST_OF_RIG = tuple(name for name in gauges_with(Whole.HIGHEST) if name in {*_OF_CPU, *_OF_GPU})
_SUM_OF_RIG = tuple(name for name in gauges_with(Whole.SUM) if name in {*_OF_CPU, *_OF_GPU})
_SHARES, _SHARES_OF_POOL = counters_of(Holder.MINER), counters_of(Holder.POOL)
_SHARES_OF_DEVICE = tuple(name for name in _SHARES if name in MinerDevice.__struct_fields__)
_of_gpu_and_miner, _NOTHING = attrgetter(*OF_GPU_AND_MINER), (None,) * len(OF_GPU_AND_MINER)
_shares_of_device, _NO_SHARES = attrgetter(*_SHARES_OF_DEVICE), (None,) * len(_SHARES_OF_DEVICE)

FigureNames = Collection[str] | None  # None: all of them


class _MinersAlone(msgspec.Struct, frozen=True, gc=False):
    """As much of a CPU/GPU rig's log as its hashrates and shares need: the rest costs half of the reading."""

    miners: list[MinerReading] = []


_cpu_gpu_log = Reader(CpuGpuLog)
_miners_alone = Reader(_MinersAlone)
_asic_log = Reader(AsicLog)


def cpu_gpu_readings(body: bytes, figures: FigureNames = None) -> Readings:
    """Of a CPU/GPU rig's log, given as its JSON; at least those of the figures."""
    readings: Readings = {}
    if figures is not None and OF_MINERS.issuperset(figures):
        miners = with_own_cards(_miners_alone.decode(body).miners)
    else:
        log = _cpu_gpu_log.decode(body)
        miners = with_own_cards(log.miners)
        _put_machine(readings, log)
    if figures is None or HASHRATE in figures:
        _put_hashrates(readings, miners)
    if figures is None or not COUNTERS.isdisjoint(figures):
        for source, miner in zip(source_names(miners), miners, strict=True):
            if miner.software not in PROXIES:
                _put_shares(readings, SOURCE + source, miner)
    return readings


def _put_machine(readings: Readings, log: CpuGpuLog) -> None:
    gpus = (
        merged_devices(log)
        if any(_has_readings(device) for miner in log.miners for device in miner.devices)
        else log.gpus
    )
    _put(readings, log, _OF_RIG, None)
    if log.cpu is not None:
        _put(readings, log.cpu, _OF_CPU, "cpu")
    for gpu in gpus:
        _put(readings, gpu, _OF_GPU, gpu.pci_address)
    _put_rig(readings, log.cpu, gpus)


def _has_readings(device: MinerDevice) -> bool:
    """Returns whether the mining software reports a metric of the card that its driver may not."""
    return _of_gpu_and_miner(device) != _NOTHING


def _put(readings: Readings, source: object, figures: tuple[str, ...], device: str | None) -> None:
    for figure in figures:
        if (value := getattr(source, figure)) is not None:
            readings[figure, device, None, None] = value


def _put_rig(readings: Readings, cpu: CpuReading | None, gpus: list[GpuReading]) -> None:
    devices: list[object] = [*gpus, *([cpu] if cpu else [])]
    for figures, whole in ((_HIGHEST_OF_RIG, highest), (_SUM_OF_RIG, total)):
        for figure in figures:
            if (value := whole([getattr(device, figure, None) for device in devices])) is not None:
                readings[figure, None, None, None] = value


def _put_hashrates(readings: Readings, miners: list[MinerReading]) -> None:
    """Puts the hashrates of miners. A proxy's hashrate is in the history of the rigs behind it."""
    for miner in (each for each in miners if each.software not in PROXIES):
        works = [_work(algorithm.coin, algorithm.algorithm) for algorithm in miner.algorithms]
        for (coin, name), algorithm in zip(works, miner.algorithms, strict=True):
            if algorithm.hashrate_hs is not None:
                series: Series = HASHRATE, None, name, coin
                readings[series] = readings.get(series, 0.0) + algorithm.hashrate_hs
        for device in miner.devices:
            for (coin, name), hashrate_hs in zip(works, device.hashrates_hs, strict=False):
                if hashrate_hs is not None:
                    series = HASHRATE, device.device, name, coin
                    readings[series] = readings.get(series, 0.0) + hashrate_hs


@lru_cache(maxsize=4096)
def _work(coin: str | None, algorithm: str) -> Work:
    """Returns the work under the names that totals use. Called with every log."""
    return Work(coin, algorithm).named


def _put_shares(readings: Readings, source: str, miner: MinerReading) -> None:
    for algorithm in miner.algorithms:
        for figure in _SHARES:
            if (count := getattr(algorithm, figure)) is not None:
                series = one_series((figure, source, algorithm.algorithm, algorithm.coin))
                readings[series] = readings.get(series, 0) + count
    for device in miner.devices:
        if _shares_of_device(device) != _NO_SHARES:  # few programs count the shares of each card
            _put(readings, device, _SHARES_OF_DEVICE, device.device)


def asic_readings(body: bytes, figures: FigureNames = None) -> Readings:
    """Of an ASIC's log, given as its JSON; all of them, because they are few."""
    log = _asic_log.decode(body)
    readings: Readings = {}
    _put(readings, log, _OF_ASIC, None)
    if log.hashrate_hs is not None:
        readings[one_series((HASHRATE, None, log.algorithm, log.coin))] = log.hashrate_hs
    for board in log.boards:
        _put_board(readings, board, log)
    _put_fans(readings, log.fans_rpm)
    for place, pool in enumerate(log.pools):
        for figure in _SHARES_OF_POOL:
            if (count := getattr(pool, figure)) is not None:
                readings[one_series((figure, f"{SOURCE}{place}", log.algorithm, log.coin))] = count
    return readings


def _put_board(readings: Readings, board: AsicBoard, log: AsicLog) -> None:
    device = f"board{board.slot}"
    _put(readings, board, _OF_BOARD, device)
    if board.hashrate_hs is not None:
        readings[one_series((HASHRATE, device, log.algorithm, log.coin))] = board.hashrate_hs


def _put_fans(readings: Readings, fans_rpm: list[float | None]) -> None:
    for place, fan_rpm in enumerate(fans_rpm, start=1):
        if fan_rpm is not None:
            readings["fan_rpm", f"fan{place}", None, None] = fan_rpm
    if (fastest := highest(fans_rpm)) is not None:
        readings["fan_rpm", None, None, None] = fastest


class ReadingsOf(Protocol):
    def __call__(self, body: bytes, figures: FigureNames = None) -> Readings: ...


READINGS: dict[RigKind, ReadingsOf] = {
    RigKind.CPU_GPU: cpu_gpu_readings,
    RigKind.ASIC: asic_readings,
}


@lru_cache(maxsize=4096)
def one_series(series: Series) -> Series:
    """Returns the series under the names that totals use.

    Shares are counted per spelling, so the spelling stays in the name of the source.
    """
    figure, device, algorithm, coin = series
    name = None if algorithm is None else one_name(algorithm)
    named: Series = figure, device, name, None if coin is None else one_coin(coin)
    if named == series:
        return series
    if device is None or not device.startswith(SOURCE):
        return named
    return figure, f"{device}#{algorithm or ''} {coin or ''}", *named[2:]


def work_of(series: Series) -> Work:
    """Returns the coin and algorithm, as the operational index names them."""
    return Work(series[3], series[2] or "unknown")
