"""Rigs as tests of selections describe them."""

from datetime import UTC, datetime
from typing import NamedTuple

import msgspec
from commander.live.operational_index import OperationalIndex
from commander.live.playbooks import PlaybookNow
from commander.live.rig_state import Health, RigState
from commander.readings.decode import READERS
from commander.registry.kinds import RigKind
from protocol.playbook_messages import Archive, Platform, Playbook, SoftwarePackage

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Card(NamedTuple):
    name: str
    driver: str | None
    memory_temperature_c: float | None


class PlainRig(NamedTuple):
    """A rig as a test describes it."""

    kind: RigKind = RigKind.CPU_GPU
    name: str = "rig-01"
    tags: tuple[str, ...] = ()
    health: Health = Health.ONLINE
    coin: str | None = None
    algorithm: str = "rx/0"
    hashrate_hs: float | None = None
    software: str = "xmrig"
    playbook: str | None = None
    cards: tuple[Card, ...] = ()
    model: str | None = None
    firmware: str | None = None
    mac: str | None = None
    ip: str | None = None
    pool: str | None = None
    worker: str | None = None
    sentry: str | None = None
    temperature_c: float | None = None
    power_w: float | None = None
    fan_percent: float | None = None
    fan_rpm: float | None = None
    rejected: int | None = None
    uptime_s: int | None = None
    two_sentries: bool = False
    approved: bool = True


def state_of(rig: PlainRig, rig_id: int = 1, index: OperationalIndex | None = None) -> RigState:
    """The rig in an operational index, after its specs and a log have come."""
    index = index or OperationalIndex(stale_after_s=45, offline_after_s=60)
    state = index.add(rig_id, rig.name)
    is_asic = rig.kind is RigKind.ASIC
    index.set_specs(rig_id, msgspec.json.encode(_asic_specs(rig) if is_asic else _specs(rig)))
    body = msgspec.json.encode(_asic_log(rig) if is_asic else log_of(rig))
    reading = READERS[rig.kind](body)
    index.report(rig_id, body, reading.summary, taken_at=NOON, reported_at=NOON, now_s=1.0)
    state.health, state.two_sentries, state.approved = rig.health, rig.two_sentries, rig.approved
    index.set_tags(rig_id, rig.tags)
    index.set_playbooks(rig_id, [] if rig.playbook is None else [PlaybookNow(1, _playbook(rig.playbook))])
    return state


def _playbook(name: str) -> Playbook:
    package = SoftwarePackage(
        software="xmrig", version="6.22.2", url="https://example.com/x", archive=Archive.TAR_GZ, executable="xmrig"
    )
    return Playbook(id="1", name=name, revision=1, package=package, platform=Platform.LINUX, script="x")


def _specs(rig: PlainRig) -> dict[str, object]:
    cards = [{"pci_address": f"0000:{n:02}:00.0", "name": card.name, "driver_version": card.driver}
             for n, card in enumerate(rig.cards)]  # fmt: skip
    board = {"name": rig.model, "bios_version": rig.firmware}
    return {"gpus": cards, "motherboard": board, "sentry_version": rig.sentry}


def _asic_specs(rig: PlainRig) -> dict[str, object]:
    return {"model": rig.model, "firmware_version": rig.firmware, "mac": rig.mac}


def log_of(rig: PlainRig) -> dict[str, object]:
    gpus = [{"pci_address": f"0000:{n:02}:00.0", "memory_temperature_c": card.memory_temperature_c}
            for n, card in enumerate(rig.cards)]  # fmt: skip
    gpu = {"pci_address": "0000:ff:00.0", "fan_percent": rig.fan_percent, "fan_rpm": rig.fan_rpm}
    work = {"algorithm": rig.algorithm, "coin": rig.coin, "hashrate_hs": rig.hashrate_hs, "pool": rig.pool}
    shares = {"accepted": None if rig.rejected is None else 100 - rig.rejected, "rejected": rig.rejected}
    return {
        "taken_at": NOON.isoformat(),
        "lan_ip": rig.ip,
        "uptime_s": rig.uptime_s,
        "cpu": {"temperature_c": rig.temperature_c, "power_w": rig.power_w},
        "gpus": [*gpus, gpu],
        "miners": [{"software": rig.software, "state": "mining", "algorithms": [work | shares | {"user": rig.worker}]}],
    }


def _asic_log(rig: PlainRig) -> dict[str, object]:
    pool = {"url": rig.pool, "user": rig.worker}
    return {
        "taken_at": NOON.isoformat(),
        "lan_ip": rig.ip,
        "uptime_s": rig.uptime_s,
        "algorithm": rig.algorithm,
        "coin": rig.coin,
        "hashrate_hs": rig.hashrate_hs,
        "temperature_c": rig.temperature_c,
        "power_w": rig.power_w,
        "fans_rpm": [rig.fan_rpm],
        "pools": [pool],
        "rejected_percent": rig.rejected,
    }


GAMER = PlainRig(
    name="rig-07",
    tags=("hall:2", "rack:B"),
    coin="KAS",
    algorithm="heavyhash",
    hashrate_hs=1.2e9,
    software="lolminer",
    playbook="Kaspa on lolMiner",
    cards=(Card("GeForce RTX 3080", "535.104", 96.0), Card("GeForce RTX 3090", "535.104", None)),
    model="ROG STRIX Z390",
    ip="192.168.1.20",
    pool="pool.example:3333",
    worker="kaspa:qq07",
    sentry="0.2.1",
    temperature_c=81.0,
    power_w=1_250.0,
    fan_percent=70.0,
    fan_rpm=2_100.0,
    rejected=3,
    uptime_s=86_400,
    two_sentries=True,
)
ANTMINER = PlainRig(
    kind=RigKind.ASIC,
    name="Halle 2 #14",
    coin="Bitcoin",
    algorithm="SHA-256",
    hashrate_hs=0.0,
    model="Antminer S19 Pro",
    firmware="2022-07-05",
    mac="02:00:5E:10:00:01",
    ip="10.20.0.22",
    fan_rpm=5_900.0,
)
