"""A rig's page: what its templates see of a rig, as texts that are ready to be read."""

from dataclasses import dataclass
from datetime import datetime

import msgspec
from protocol import units
from protocol.messages import (
    PROXIES,
    AlgorithmReading,
    CpuGpuLog,
    CpuGpuSpecs,
    GpuReading,
    GpuSpecs,
    MinerReading,
    MinerState,
)
from protocol.miner_words import PROXY_NOTE, miner_name, miner_word
from protocol.miners_apart import with_own_cards
from protocol.reading import Reader

from commander.commands.domain import MENU
from commander.live.rig_state import Health, RigState
from commander.readings.cpu_gpu import device_hashrates, merged_devices
from commander.readings.summary import WORKS_OF_A_RIG
from commander.registry.kinds import PATHS, RigKind
from commander.rig_pages.cpu_gpu_rows import HEALTH_TONES, HEALTH_WORDS, WORKS_SHOWN, WorkView, work_views
from commander.rig_pages.faults_view import FaultsView, faults_view
from commander.web import format as shown
from commander.web.format import NOT_KNOWN, Figure

DEVICES_SHOWN = 256
Parts = dict[str, list[MinerReading]]

_log_decoder = Reader(CpuGpuLog)
_specs_decoder = Reader(CpuGpuSpecs)

MINER_TONES = {
    MinerState.STARTING: "idle",
    MinerState.MINING: "good",
    MinerState.STALLED: "warning",
    MinerState.STOPPED: "idle",
    MinerState.FAILED: "bad",
    MinerState.API_SILENT: "warning",
    MinerState.UNKNOWN: "idle",
}


@dataclass(frozen=True, slots=True)
class HeadView:
    path: str
    id: int
    name: str
    tags: tuple[str, ...]
    health: Health
    word: str
    tone: str
    reported_at: datetime | None
    approved: bool
    two_sentries: bool
    wrong_clock: bool
    too_many_works: bool
    faults: FaultsView
    works_most: int = WORKS_OF_A_RIG
    commands: tuple[tuple[str, str], ...] = MENU


@dataclass(frozen=True, slots=True)
class DeviceView:
    """One line of the devices' table."""

    name: str
    place: str
    works: list[WorkView]
    temperature: Figure
    memory_temperature: Figure
    fan: Figure
    power: Figure
    clocks: str
    shares: str


@dataclass(frozen=True, slots=True)
class AlgorithmView:
    label: str
    algorithm: str
    hashrate: Figure
    shares: str
    pool: str
    user: Figure


@dataclass(frozen=True, slots=True)
class MinerView:
    software: str
    version: str
    word: str
    tone: str
    reason: str | None
    note: str | None
    uptime: Figure
    algorithms: list[AlgorithmView]


@dataclass(frozen=True, slots=True)
class CpuGpuStatusView:
    """The readings of a rig that has reported."""

    old: bool
    works: list[WorkView]
    power: Figure
    temperature: Figure
    fan: Figure
    rejected: Figure
    uptime: Figure
    memory_used: Figure
    devices: list[DeviceView]
    more_devices: int
    miners: list[MinerView]


def head_view(state: RigState, kind: RigKind) -> HeadView:
    return HeadView(
        path=PATHS[kind],
        id=state.id,
        name=state.name,
        tags=state.tags,
        health=state.health,
        word=HEALTH_WORDS[state.health],
        tone=HEALTH_TONES[state.health],
        reported_at=state.reported_at,
        approved=state.approved,
        two_sentries=state.two_sentries,
        wrong_clock=state.wrong_clock,
        too_many_works=state.too_many_works,
        faults=faults_view(state, kind),
    )


def status_view(state: RigState) -> CpuGpuStatusView | None:
    """None for a rig that waits for its sentry."""
    if state.latest is None:
        return None
    log, figures = _log_decoder.decode(state.latest), state.summary
    log = msgspec.structs.replace(log, miners=with_own_cards(log.miners))
    old = state.health in (Health.STALE, Health.OFFLINE)
    return CpuGpuStatusView(
        old=old,
        works=work_views(figures.hashrates_hs, at_most=WORKS_OF_A_RIG),
        power=shown.power(figures.power_w),
        temperature=shown.temperature(figures.temperature_c),
        fan=shown.fan(figures.fan_percent, figures.fan_rpm),
        rejected=shown.rejected(figures.accepted, figures.rejected, figures.rejected_percent),
        uptime=shown.duration(figures.uptime_s),
        memory_used=shown.size(log.memory_used_bytes),
        devices=_devices(log, _specs(state)),
        more_devices=max(0, len(merged_devices(log)) - DEVICES_SHOWN),
        miners=[_miner(miner, miner_name(miner, log.miners), old=old) for miner in log.miners],
    )


def spec_rows(state: RigState) -> list[tuple[str, str]]:
    """Returns the facts of the rig as (name, text), without unknown ones."""
    specs = _specs(state)
    log = _log_decoder.decode(state.latest) if state.latest else None
    board = specs.motherboard
    facts = [
        ("Host name", specs.hostname),
        ("LAN address", log.lan_ip if log else None),
        ("Operating system", specs.os),
        ("CPU", _cpu_text(specs)),
        ("Memory", units.bytes_text(specs.memory_bytes) if specs.memory_bytes else None),
        ("Board", " ".join(filter(None, (board.vendor, board.name))) if board else None),
        ("BIOS", board.bios_version if board else None),
        *((f"GPU {gpu.pci_address}", _gpu_text(gpu)) for gpu in specs.gpus),
        ("Sentry", specs.sentry_version),
    ]
    return [(what, text) for what, text in facts if text]


def _specs(state: RigState) -> CpuGpuSpecs:
    return _specs_decoder.decode(state.specs) if state.specs else CpuGpuSpecs()


def _cpu_text(specs: CpuGpuSpecs) -> str | None:
    cpu = specs.cpu
    if cpu is None:
        return None
    counts = [f"{number} {what}" for number, what in ((cpu.cores, "cores"), (cpu.threads, "threads")) if number]
    return ", ".join(filter(None, (cpu.name, *counts)))


def _gpu_text(gpu: GpuSpecs) -> str:
    memory = units.bytes_text(gpu.memory_bytes) if gpu.memory_bytes else None
    driver = f"driver {gpu.driver_version}" if gpu.driver_version else None
    vbios = f"VBIOS {gpu.vbios_version}" if gpu.vbios_version else None
    return ", ".join(filter(None, (_gpu_name(gpu), memory, driver, vbios)))


def _gpu_name(gpu: GpuSpecs) -> str:
    name, vendor = gpu.name or "GPU", gpu.vendor
    return name if vendor is None or vendor.casefold() in name.casefold() else f"{vendor} {name}"


def _devices(log: CpuGpuLog, specs: CpuGpuSpecs) -> list[DeviceView]:
    names = {gpu.pci_address: _gpu_name(gpu) for gpu in specs.gpus}
    parts = _parts(log)
    cards = [_gpu(gpu, names.get(gpu.pci_address, "GPU"), parts) for gpu in merged_devices(log)[:DEVICES_SHOWN]]
    cpu = _cpu(log, specs, parts)
    return cards if cpu is None else [cpu, *cards]


def _parts(log: CpuGpuLog) -> Parts:
    """Returns for each device the miners that run on it."""
    parts: Parts = {}
    for miner in log.miners:
        for part in miner.devices:
            parts.setdefault(part.device, []).append(msgspec.structs.replace(miner, devices=[part]))
    return parts


def _cpu(log: CpuGpuLog, specs: CpuGpuSpecs, parts: Parts) -> DeviceView | None:
    works = _works_of("cpu", parts)
    if log.cpu is None and not works:
        return None
    cpu = log.cpu
    load = cpu.load_percent if cpu else None
    return DeviceView(
        name=(specs.cpu and specs.cpu.name) or "CPU",
        place="CPU" if load is None else f"CPU, {units.percent_text(load)} load",
        works=works,
        temperature=shown.temperature(cpu.temperature_c if cpu else None),
        memory_temperature=NOT_KNOWN,
        fan=NOT_KNOWN,
        power=shown.power(cpu.power_w if cpu else None),
        clocks=units.UNKNOWN,
        shares=_device_shares("cpu", parts),
    )


def _gpu(gpu: GpuReading, name: str, parts: Parts) -> DeviceView:
    clocks = [f"{clock:,.0f}" for clock in (gpu.core_clock_mhz, gpu.memory_clock_mhz) if clock is not None]
    return DeviceView(
        name=name,
        place=gpu.pci_address,
        works=_works_of(gpu.pci_address, parts),
        temperature=shown.temperature(gpu.temperature_c),
        memory_temperature=shown.temperature(gpu.memory_temperature_c),
        fan=shown.fan(gpu.fan_percent, gpu.fan_rpm),
        power=shown.power(gpu.power_w),
        clocks=f"{' / '.join(clocks)} MHz" if clocks else units.UNKNOWN,
        shares=_device_shares(gpu.pci_address, parts),
    )


def _works_of(device: str, parts: Parts) -> list[WorkView]:
    return work_views(device_hashrates(parts.get(device, []), device))


def _device_shares(device: str, parts: Parts) -> str:
    its = [part for miner in parts.get(device, [])[:WORKS_SHOWN] for part in miner.devices]
    texts = [_shares(part.accepted, part.rejected) for part in its if part.accepted is not None]
    return ", ".join(texts) or units.UNKNOWN


def _shares(accepted: int | None, rejected: int | None) -> str:
    return f"{units.count_text(accepted)} / {units.count_text(rejected)}"


def _miner(miner: MinerReading, name: str, *, old: bool) -> MinerView:
    word, tone = miner_word(miner), "warning" if miner.trouble else MINER_TONES[miner.state]
    if old:  # its state now is unknown
        word, tone = f"{word} at the last report", "idle"
    return MinerView(
        software=name,
        version=miner.version or "",
        word=word,
        tone=tone,
        reason=miner.reason,
        note=PROXY_NOTE if miner.software in PROXIES else None,
        uptime=shown.duration(miner.uptime_s),
        algorithms=[_algorithm(reading) for reading in miner.algorithms],
    )


def _algorithm(reading: AlgorithmReading) -> AlgorithmView:
    return AlgorithmView(
        label=reading.coin or reading.algorithm,
        algorithm=reading.algorithm,
        hashrate=shown.hashrate(reading.hashrate_hs),
        shares=_all_shares(reading),
        pool=reading.pool or units.UNKNOWN,
        user=Figure(units.shortened(reading.user), reading.user) if reading.user else NOT_KNOWN,
    )


def _all_shares(reading: AlgorithmReading) -> str:
    """Returns "1,000 accepted, 3 rejected". Unknown counts are left out, and so are zeros of stale and invalid."""
    usual = [(reading.accepted, "accepted"), (reading.rejected, "rejected")]
    rare = [(number, what) for number, what in ((reading.stale, "stale"), (reading.invalid, "invalid")) if number]
    counts = [f"{units.count_text(number)} {what}" for number, what in usual + rare if number is not None]
    return ", ".join(counts) or units.UNKNOWN
